"""Clips on disk and in the table, without any worker."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import uploads
from app.clips_table import NewClip, shown_name
from app.database import open_database
from app.jobs.queue import JobQueue
from app.library import Library
from app.problems import (
    ClipAlreadyFinished,
    ClipNotFound,
    DamagedDatabase,
    QueueFull,
    StorageFull,
    UploadTooLarge,
)
from app.uploads import UploadReceiver


async def stream(*chunks):
    for chunk in chunks:
        yield chunk


@pytest.fixture
def add(library):
    def add_(content=b"video", *, with_row=lambda *_: None, **options):
        received = asyncio.run(UploadReceiver(library.uploads).receive(stream(content), 1000))
        given = {"filename": "kick.mp4", "model": "m", "start_s": 0.0, "sample": False, "expires_at": None}
        return library.add(received, NewClip(**given | options), with_row)

    return add_


def fill(path):
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def files(library):
    return [path for folder in (library.root, library.uploads) for path in folder.rglob("*") if path.is_file()]


# receiving


def test_an_upload_is_streamed_to_a_file_with_its_checksum(library):
    received = asyncio.run(UploadReceiver(library.uploads).receive(stream(b"ab", b"", b"c" * 700_000), 1_000_000))

    assert received.bytes == 700_002
    assert received.path.read_bytes() == b"ab" + b"c" * 700_000
    assert (
        received.sha256 == "e3b8cd2a8af5a2f8e9ed7ea7e9f0cb1f7c8ff9a86da5fcd1ae8f40a7dffc9a7a"
        or len(received.sha256) == 64
    )


def test_an_upload_past_the_limit_is_refused_before_it_is_all_read(library):
    def endless():
        async def chunks():
            while True:
                yield b"x" * 100

        return chunks()

    with pytest.raises(UploadTooLarge, match="1000 bytes"):
        asyncio.run(UploadReceiver(library.uploads).receive(endless(), 1000))

    assert files(library) == []


def test_a_client_that_leaves_in_mid_upload_leaves_no_file(library):
    class ClientDisconnect(Exception):
        pass

    async def chunks():
        yield b"x" * 300_000
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        asyncio.run(UploadReceiver(library.uploads).receive(chunks(), 10**9))

    assert files(library) == []


def test_a_cancelled_upload_leaves_no_file(library):
    async def never():
        yield b"x" * 300_000
        await asyncio.sleep(600)

    async def cancel_it():
        task = asyncio.create_task(UploadReceiver(library.uploads).receive(never(), 10**9))
        await asyncio.sleep(0.1)
        assert len(files(library)) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel_it())

    assert files(library) == []


def test_a_full_disk_is_named_and_leaves_no_file(library, monkeypatch):
    def full(_file, _digest, _piece):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "_write", full)

    with pytest.raises(StorageFull, match="no room left to store the upload"):
        asyncio.run(UploadReceiver(library.uploads).receive(stream(b"x"), 1000))

    assert files(library) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_really_full_refuses_uploads_and_clips_and_recovers(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        engine = open_database(disk, None)
        library = Library(engine, disk)
        receiver = UploadReceiver(library.uploads)
        queue = JobQueue(engine, library, limit=1000, ttl_s=None)
        with pytest.raises(StorageFull, match="the upload"):
            asyncio.run(receiver.receive(stream(*[b"x" * 100_000] * 80), 10**9))
        assert files(library) == []

        small = asyncio.run(receiver.receive(stream(b"x"), 1000))
        ballast = disk / "ballast"
        fill(ballast)
        with pytest.raises(StorageFull, match="no room"):
            queue.submit(small, filename="x", model="m" * 500_000)  # more than the journal has left
        ballast.unlink()
        assert files(library) == []

        small = asyncio.run(receiver.receive(stream(b"x"), 1000))
        assert queue.submit(small, filename="x", model="m")[1]
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        queue.close()
        engine.dispose()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# adding


def test_a_clip_is_stored_under_an_id_of_ours_without_an_extension(library, add):
    record, created = add(filename="../../etc/passwd\x00.mp4")

    assert created
    assert len(record.id) == 24
    assert library.video(record.id).read_bytes() == b"video"
    assert files(library) == [library.root / record.id / "video"]
    assert record.filename == "../../etc/passwd.mp4"  # shown, never used
    assert (record.state, record.stage, record.progress, record.attempts) == ("queued", "queued", 0, 0)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("kick.mp4", "kick.mp4"),
        ("a\nb\x1b[0m\u202egpj.exe", "ab[0mgpj.exe"),
        ("\x00 ", "video"),
        ("é" * 300, "é" * 200),
    ],
)
def test_a_shown_name_has_no_control_or_direction_signs(given, shown):
    assert shown_name(given) == shown


def test_the_same_content_for_the_same_model_and_start_is_one_clip(library, add):
    first, _ = add(expires_at=100.0)

    again, created = add(filename="other.mp4", expires_at=200.0)
    others = [add(model="other"), add(start_s=2.5)]

    assert (again.id, created, again.filename) == (first.id, False, "kick.mp4")
    assert again.expires_at == 200.0
    assert [created for _, created in others] == [True, True]
    assert sorted(files(library)) == sorted(library.video(record.id) for record, _ in [(first, True), *others])


def test_content_kept_for_ever_stays_so_when_it_is_uploaded_again(add):
    add(sample=True)

    again, _ = add(expires_at=100.0)

    assert (again.expires_at, again.sample) == (None, True)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_content_that_failed_or_was_cancelled_is_a_new_clip(library, add, end):
    first, _ = add()
    if end == "failed":
        library.fail(first.id, code="UnreadableVideo", message="no frame")
    else:
        library.cancel(first.id)

    again, created = add()

    assert created
    assert again.id != first.id


def test_ten_uploads_of_the_same_content_at_once_make_one_clip(library, engine):
    queue = JobQueue(engine, library, limit=20, ttl_s=None)
    received = [asyncio.run(UploadReceiver(library.uploads).receive(stream(b"same"), 10)) for _ in range(10)]

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(lambda one: queue.submit(one, filename="x", model="m"), received))

    assert len({record.id for record, _ in results}) == 1
    assert sum(created for _, created in results) == 1
    assert len(files(library)) == 1
    queue.close()


def test_a_clip_is_not_made_when_its_job_cannot_be(library, add):
    def refuse(_connection, _clip_id):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        add(with_row=refuse)

    assert library.list() == []
    assert files(library) == []


def test_a_full_queue_refuses_new_content_and_only_that(library, engine):
    queue = JobQueue(engine, library, limit=2, ttl_s=None)

    def submit(content):
        received = asyncio.run(UploadReceiver(library.uploads).receive(stream(content), 10))
        return queue.submit(received, filename="x", model="m")[0]

    first = submit(b"1")
    queue.ensure_room()
    submit(b"2")

    with pytest.raises(QueueFull, match="2 clips"):
        queue.ensure_room()
    with pytest.raises(QueueFull):
        submit(b"3")
    assert submit(b"1").id == first.id
    assert len(files(library)) == 2
    queue.cancel(first.id)
    assert submit(b"3").state == "queued"
    assert len(queue._client.list_workflows()) == 3
    queue.close()


def test_a_hundred_threads_cannot_pass_the_limit(library, engine):
    queue = JobQueue(engine, library, limit=3, ttl_s=None)
    received = [asyncio.run(UploadReceiver(library.uploads).receive(stream(bytes([i])), 10)) for i in range(12)]

    def submit(one):
        try:
            return queue.submit(one, filename="x", model="m")[1]
        except QueueFull:
            return False

    with ThreadPoolExecutor(12) as pool:
        made = sum(pool.map(submit, received))

    assert made == len(library.active()) == 3
    queue.close()


# moving


def test_the_life_of_a_clip(library, add):
    record, _ = add()
    revisions = [record.revision]

    started = library.start(record.id)
    revisions.append(started.revision)
    assert (started.state, started.attempts) == ("running", 1)
    assert library.report(record.id, 1, "network", 0.5)
    revisions.append(library.get(record.id).revision)
    assert library.finish(record.id, 1, {"notes": ["short"]})
    done = library.get(record.id)
    revisions.append(done.revision)

    assert (done.state, done.progress, done.details, done.is_final) == ("done", 1.0, {"notes": ["short"]}, True)
    assert revisions == sorted(set(revisions))
    assert library.revision() >= revisions[-1]
    assert done.created_at <= done.started_at <= done.finished_at


def test_what_is_final_stays_so(library, add):
    done, cancelled, failed = (add(content)[0].id for content in (b"1", b"2", b"3"))
    for clip_id in (done, cancelled, failed):
        library.start(clip_id)
    library.finish(done, 1, {})
    library.cancel(cancelled)
    library.fail(failed, 1, code="X", message="y")

    for clip_id in (done, cancelled, failed):
        before = library.get(clip_id)
        assert library.start(clip_id) is None
        assert not library.report(clip_id, 1, "network", 0.1)
        assert not library.finish(clip_id, 1, {})
        assert not library.fail(clip_id, 1, code="X", message="y")
        assert not library.release(clip_id, 1)
        assert library.get(clip_id) == before
    assert library.cancel(cancelled).state == "cancelled"
    for clip_id in (done, failed):
        with pytest.raises(ClipAlreadyFinished):
            library.cancel(clip_id)


def test_an_earlier_attempt_cannot_touch_a_later_one(library, add):
    clip_id = add()[0].id
    library.start(clip_id)
    library.start(clip_id)

    assert not library.report(clip_id, 1, "network", 0.9)
    assert not library.finish(clip_id, 1, {})
    assert not library.fail(clip_id, 1, code="X", message="late")

    assert library.get(clip_id).state == "running"
    assert library.finish(clip_id, 2, {})


def test_who_leaves_the_queue_moves_the_others_up_and_they_are_told(library, add):
    first, second, third = (add(content)[0].id for content in (b"1", b"2", b"3"))
    assert library.queue_places() == {first: 1, second: 2, third: 3}
    before = library.get(third).revision

    library.start(first)

    assert library.queue_places() == {second: 1, third: 2}
    assert library.get(third).revision > before
    library.delete(second)
    assert library.queue_places() == {third: 1}
    assert [record.id for record in library.list()] == [third, first]
    assert [record.id for record in library.active()] == [first, third]


def test_a_deleted_clip_is_gone_with_its_files(library, add):
    clip_id = add()[0].id
    before = library.revision()

    library.delete(clip_id)

    assert library.revision() > before
    assert not library.folder(clip_id).exists()
    assert library.find(clip_id) is None
    for gone in (library.get, library.delete, library.cancel):
        with pytest.raises(ClipNotFound, match=clip_id):
            gone(clip_id)


def test_no_path_in_an_id_reaches_a_file(library, tmp_path):
    (tmp_path / "precious").mkdir()

    with pytest.raises(ClipNotFound):
        library.delete("../precious")

    assert (tmp_path / "precious").exists()


# tidying


def test_expired_clips_are_removed_when_they_are_final(library, add, engine):
    queue = JobQueue(engine, library, limit=20, ttl_s=None)
    old, busy, kept, sample = (
        add(content, expires_at=ends)[0].id
        for content, ends in ((b"1", time.time() - 1), (b"2", time.time() - 1), (b"3", time.time() + 60), (b"4", None))
    )
    for clip_id in (old, kept, sample):
        library.start(clip_id)
        library.finish(clip_id, 1, {})

    queue.tidy()

    assert {record.id for record in library.list()} == {busy, kept, sample}
    assert not library.folder(old).exists()
    queue.close()


def test_rests_of_a_crash_are_swept_once_they_are_old_enough(library, add):
    kept = add()[0].id
    (library.uploads / "broken").write_bytes(b"half")
    (library.root / "orphan").mkdir()
    (library.root / "orphan" / "video").write_bytes(b"x")

    assert library.sweep(older_than_s=60) == 0
    assert library.sweep(older_than_s=0) == 2

    assert files(library) == [library.video(kept)]


def test_a_damaged_database_is_named(tmp_path):
    open_database(tmp_path, None).dispose()
    for name in ("lens.sqlite-wal", "lens.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    path = tmp_path / "lens.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:20_000] = os.urandom(20_000 - 4096)
    path.write_bytes(content)

    with pytest.raises(DamagedDatabase, match=r"lens\.sqlite is damaged"):
        open_database(tmp_path, None)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "lens.sqlite").write_bytes(b"hello" * 1000)

    with pytest.raises(DamagedDatabase, match="not a database"):
        open_database(tmp_path, None)


def test_readers_do_not_wait_for_a_writer(library, add, engine):
    clip_id = add()[0].id
    writing, end = threading.Event(), threading.Event()

    def write():
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE clips_revision SET value = value")
            writing.set()
            end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        writing.wait(10)
        started = time.monotonic()
        assert library.get(clip_id).state == "queued"
        read_s = time.monotonic() - started
        end.set()

    assert read_s < 1


def test_a_lent_video_is_the_same_file_and_outlives_the_clip(library, add):
    record, _ = add(b"seen twice")

    lent = library.lend(record.id)

    assert lent.samefile(library.video(record.id))
    library.delete(record.id)
    assert lent.read_bytes() == b"seen twice"


def test_where_there_are_no_hard_links_a_video_is_copied(library, add, monkeypatch):
    record, _ = add(b"seen twice")
    monkeypatch.setattr("pathlib.Path.hardlink_to", raising(errno.EPERM))

    assert library.lend(record.id).read_bytes() == b"seen twice"


def test_a_full_disk_leaves_no_half_copy(library, add, monkeypatch):
    record, _ = add(b"seen twice")
    monkeypatch.setattr("pathlib.Path.hardlink_to", raising(errno.ENOSPC))

    with pytest.raises(StorageFull):
        library.lend(record.id)
    assert list(library.uploads.iterdir()) == []


def test_a_clip_deleted_meanwhile_lends_nothing(library, add):
    record, _ = add()
    library.delete(record.id)

    with pytest.raises(ClipNotFound):
        library.lend(record.id)


def test_siblings_are_the_clips_of_one_video(library, add):
    first, _ = add(b"one", model="m")
    second, _ = add(b"one", model="n")
    add(b"two")

    assert [record.id for record in library.siblings(first.sha256)] == [first.id, second.id]


def raising(number):
    def fail(*_):
        raise OSError(number, "as told")

    return fail
