"""The log: lines for people or JSON for machines, each with the request and the job that it belongs to.

A request gets its id from the proxy in front (X-Request-ID) or here, and answers with it. A job has the id of what it
works on: that of its clip, or CLIP/CUT. `set_up_logs` is called by each process once, nothing happens at import.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
JOB: ContextVar[str | None] = ContextVar("job", default=None)

Style = Literal["human", "json"]
requests = logging.getLogger("app.requests")

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def set_up_logs(style: Style, process: str) -> None:
    """Write the log of this process to standard error; requests by name only as JSON, where a machine reads them."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(process) if style == "json" else HumanLines(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    requests.setLevel(logging.INFO if style == "json" else logging.WARNING)


@contextlib.contextmanager
def working_on(job: str) -> Generator[None]:
    """Lines of this thread belong to that job."""
    token = JOB.set(job)
    try:
        yield
    finally:
        JOB.reset(token)


class HumanLines(logging.Formatter):
    """time process LEVEL message [request …] [job …]; a message is one line, whatever a stranger put into it."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process} %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line but for the trace."""
        line = _CONTROL.sub(lambda sign: repr(sign[0])[1:-1], super().formatMessage(record))
        ids = ((what, found.get()) for what, found in (("request", REQUEST), ("job", JOB)))
        return line + "".join(f" [{what} {found}]" for what, found in ids if found)


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, process, logger, message; request, job, error where there are any.

    `extra={"fields": {…}}` of a log call becomes further members.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            "request": REQUEST.get(),
            "job": JOB.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


Observe = Callable[[str, str, int, float], None]


class RequestLog:
    """Gives each request its id, tells the log and `observe` how it went, and answers what nobody caught.

    Starlette would answer that outside of every middleware, without headers and id.

    Args:
        observe: called with method, route ("/clips/{clip_id}", never the address itself), status and the seconds
            until the response started: a stream of events may last for hours.
        respond: the response of an error that nobody foresaw.
    """

    def __init__(self, app: ASGIApp, *, observe: Observe, respond: Callable[[Request, Exception], Response]) -> None:
        self.app = app
        self._observe = observe
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and take note."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
        request_id = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        token = REQUEST.set(request_id)
        began, status, seconds = time.perf_counter(), 0, 0.0

        async def send_with_id(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - began
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            if status:  # too late for another answer: the connection must break
                raise
            await self._respond(Request(scope), error)(scope, receive, send_with_id)
        finally:
            self._note(scope, status or 499, seconds or time.perf_counter() - began)
            REQUEST.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """499, as nginx has it: the client left before there was an answer."""
        self._observe(scope["method"], route_of(scope), status, seconds)
        if requests.isEnabledFor(logging.INFO):
            path = scope.get("raw_path", b"").decode("latin-1")
            client = scope["client"][0] if scope.get("client") else None
            fields = {"status": status, "ms": round(seconds * 1000, 2), "client": client}
            requests.info("%s %s", scope["method"], path, extra={"fields": fields})


def route_of(scope: Scope) -> str:
    """The route's pattern; "/static" for all files, "none" where no route fits, so that strangers cannot add names."""
    route = scope.get("route")
    pattern = getattr(route, "path", None)
    if pattern is None:
        return "/static" if scope.get("root_path", "").endswith("/static") else "none"
    return pattern
