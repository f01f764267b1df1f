"""Listening to clips."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy.exc import OperationalError

from app.jobs.feed import Feed


@pytest.fixture
def feed(lens):
    return Feed(lens.library)


async def collect(watch):
    return [record async for record in watch]


def test_a_listener_sees_each_change_and_the_end(lens, feed):
    clip_id = lens.submit("x")

    async def listen():
        seen = asyncio.create_task(collect(feed.watch(clip_id)))
        await asyncio.sleep(0.25)
        lens.library.start(clip_id)
        await asyncio.sleep(0.25)
        lens.library.report(clip_id, 1, "network", 0.5)
        await asyncio.sleep(0.25)
        lens.library.finish(clip_id, 1, {})
        return await asyncio.wait_for(seen, 2)

    seen = asyncio.run(listen())

    assert [(record.state, record.progress) for record in seen] == [
        ("queued", 0), ("running", 0), ("running", 0.5), ("done", 1),
    ]  # fmt: skip


def test_a_listener_that_comes_back_gets_only_what_it_has_not_seen(lens, feed):
    clip_id = lens.submit("x")
    lens.library.start(clip_id)
    seen = lens.library.get(clip_id).revision

    async def listen():
        watch = feed.watch(clip_id, seen)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch), 0.3)
        lens.library.finish(clip_id, 1, {})
        return await collect(watch)  # a time limit around one step leaves the watch usable

    assert [record.state for record in asyncio.run(listen())] == ["done"]


def test_a_listener_of_a_finished_clip_gets_it_once(lens, feed):
    clip_id = lens.submit("x")
    lens.library.cancel(clip_id)

    assert [record.state for record in asyncio.run(collect(feed.watch(clip_id)))] == ["cancelled"]


def test_a_listener_is_let_go_when_the_clip_is_deleted_or_the_feed_closed(lens, feed):
    deleted, open_ = lens.submit("1"), lens.submit("2")

    async def listen():
        watches = [asyncio.create_task(collect(feed.watch(clip_id))) for clip_id in (deleted, open_)]
        await asyncio.sleep(0.2)
        lens.library.delete(deleted)
        first = await asyncio.wait_for(watches[0], 2)
        feed.close()
        return first, await asyncio.wait_for(watches[1], 2)

    first, second = asyncio.run(listen())

    assert {record.state for record in first} == {record.state for record in second} == {"queued"}


def test_a_listener_goes_on_listening_when_the_database_was_away(lens, feed, monkeypatch):
    clip_id = lens.submit("x")
    seen_before = lens.library.get(clip_id).revision

    async def listen():
        seen = asyncio.create_task(collect(feed.watch(clip_id, seen_before)))
        await asyncio.sleep(0.15)
        with monkeypatch.context() as away:
            away.setattr(lens.library, "revision", refuse)
            await asyncio.sleep(0.3)
        lens.library.cancel(clip_id)
        return await asyncio.wait_for(seen, 2)

    def refuse():
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    assert [record.state for record in asyncio.run(listen())] == ["cancelled"]


def test_nothing_is_asked_while_nobody_listens(lens, feed, monkeypatch):
    clip_id = lens.submit("x")
    lens.library.cancel(clip_id)
    asked = []
    revision = lens.library.revision
    monkeypatch.setattr(lens.library, "revision", lambda: asked.append(1) or revision())

    async def listen():
        await collect(feed.watch(clip_id))
        await asyncio.sleep(0.2)
        before = len(asked)
        await asyncio.sleep(0.5)
        return len(asked) - before

    assert asyncio.run(listen()) == 0


def test_two_hundred_listeners_cost_one_question_per_tick(lens, feed, monkeypatch):
    ids = [lens.submit(str(number)) for number in range(10)]
    asked = []
    revision = lens.library.revision
    monkeypatch.setattr(lens.library, "revision", lambda: asked.append(1) or revision())

    async def listen():
        watches = [asyncio.create_task(collect(feed.watch(ids[number % 10]))) for number in range(200)]
        await asyncio.sleep(1)
        ticks = len(asked)
        started = time.monotonic()
        for clip_id in ids:
            lens.library.cancel(clip_id)
        await asyncio.gather(*watches)
        return ticks, time.monotonic() - started

    ticks, woken_s = asyncio.run(listen())

    assert ticks <= 11
    assert woken_s < 1
