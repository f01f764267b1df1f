"""A database that does not answer: requests are told so with 503, workers wait for it."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import InterfaceError, OperationalError

from app import database
from app.database import until_possible
from app.errors import install_error_handlers
from app.jobs.task import Reporter
from app.metrics import JobMetrics
from app.problems import StorageFull

REFUSED = Exception("connection refused\n\tis the server running?")


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_a_request_that_meets_no_database_gets_503_and_may_come_again(kind, caplog):
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/clips")
    def read_clips():
        raise kind("SELECT secrets", {}, REFUSED)

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lens") as client:
            return await client.get("/clips")

    response = asyncio.run(ask())

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json()["error"]["code"] == "DatabaseAway"
    assert "connection refused" not in response.text
    assert "connection refused" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_worker_waits_until_the_database_answers_and_has_room(monkeypatch):
    monkeypatch.setattr(database, "RETRY_S", 0)
    answers = iter([OperationalError("UPDATE", {}, REFUSED), StorageFull("the state of the clips"), "done"])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert until_possible(ask) == "done"


def test_what_is_wrong_with_the_question_itself_is_not_waited_for():
    def ask():
        raise ValueError("not a question")

    with pytest.raises(ValueError, match="not a question"):
        until_possible(ask)


def test_progress_that_cannot_be_told_holds_nobody_up():
    """A decoder whose time is limited waits for the report: one that took its time would fail the video."""

    class Away:
        def report(self, *_):
            raise OperationalError("UPDATE", {}, REFUSED)

    class Clip:
        id, attempts = "6f1c", 1

    Reporter(Away(), Clip(), JobMetrics())("decode", 0.5)
