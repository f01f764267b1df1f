"""The child is confined, ends in time, and neither its death nor its lies reach the caller but as a verdict."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nonlocal_core.errors import DecoderFault, UnreadableVideo, VideoTooLarge
from nonlocal_core.video import DecodeLimits, decode, decode_frames, isolation, probe, probe_video

LIMITS = DecodeLimits()
ALL = np.arange(40)


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name_and_rest = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(name_and_rest[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def server_pid():
    return isolation.decoder_process()._process.pid


def during_decode(path, look):
    """What `look` returns for the child's process id, while it decodes."""
    seen = []

    def progress(_):
        if not seen:
            seen.append(look(children(server_pid())[0]))

    decode_frames(path, ALL, short_side=720, progress=progress)  # more than the socket holds: it cannot be done yet
    return seen[0]


def test_the_child_is_under_limits(numbered):
    text = during_decode(numbered, lambda pid: Path(f"/proc/{pid}/limits").read_text())
    limits = {line[:26].strip(): line[26:].split()[:2] for line in text.splitlines()}

    assert limits["Max address space"] == [str(1 << 30)] * 2
    assert limits["Max cpu time"] == ["60"] * 2
    assert limits["Max file size"] == ["0"] * 2
    assert limits["Max open files"] == ["64"] * 2
    assert limits["Max core file size"] == ["0"] * 2


def test_the_child_knows_no_environment_and_no_torch(numbered, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "1")
    isolation.stop_decoder_process()

    environment, maps = during_decode(
        numbered, lambda pid: (Path(f"/proc/{pid}/environ").read_bytes(), Path(f"/proc/{pid}/maps").read_text())
    )

    assert b"SECRET" not in environment
    assert {line.partition(b"=")[0] for line in environment.split(b"\0") if line} == {
        *map(str.encode, isolation.ENVIRONMENT)
    }
    assert "libavcodec" in maps
    assert "torch" not in maps


def test_the_child_holds_the_film_its_socket_and_nothing_else(numbered):
    def files(pid):
        return sorted(str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())

    held = during_decode(numbered, files)

    assert [name for name in held if name.startswith("/")] == ["/dev/null"] * 3 + [str(numbered)]
    assert len([name for name in held if name.startswith("socket:")]) == 1
    assert len(held) == 5


def test_no_child_is_left_after_success_refusal_and_cancelling(numbered, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"bad")

    probe_video(numbered)
    with pytest.raises(UnreadableVideo):
        probe_video(tmp_path / "bad.mp4")
    with pytest.raises(KeyboardInterrupt):
        decode_frames(numbered, ALL, short_side=720, progress=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))

    assert children(server_pid()) == []


def test_no_descriptor_is_left_behind(numbered):
    probe_video(numbered)
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(5):
        decode_frames(numbered, ALL[:2], short_side=32)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(list(Path(f"/proc/{server_pid()}/fd").iterdir())) == 4  # 0, 1, 2 and the parent's socket


def test_a_child_that_crashes_is_an_unreadable_video(numbered):
    with pytest.raises(UnreadableVideo, match="crashed"):
        during_decode(numbered, lambda pid: os.kill(pid, signal.SIGSEGV))


def test_a_child_that_the_kernel_kills_is_a_video_too_large(numbered):
    with pytest.raises(VideoTooLarge, match="memory"):
        during_decode(numbered, lambda pid: os.kill(pid, signal.SIGKILL))


def test_a_child_that_hangs_is_killed_in_time(numbered):
    start = time.monotonic()

    with pytest.raises(VideoTooLarge, match=r"more than 0\.5 s"):
        decode_frames(
            numbered,
            ALL,
            short_side=720,
            limits=replace(LIMITS, wall_s=0.5),
            progress=lambda _: [os.kill(pid, signal.SIGSTOP) for pid in children(server_pid())],
        )

    assert time.monotonic() - start < 1.5
    assert children(server_pid()) == []


def test_a_decoder_process_that_died_is_started_again(numbered):
    first = server_pid()
    os.kill(first, signal.SIGKILL)
    time.sleep(0.05)

    assert probe_video(numbered).frames == 40
    assert server_pid() != first


def test_a_decoder_process_that_does_not_start_is_a_fault(numbered, monkeypatch):
    isolation.stop_decoder_process()
    monkeypatch.setattr(isolation, "START_UP", "raise SystemExit(3)")

    with pytest.raises(DecoderFault, match="does not start"):
        probe_video(numbered)


def test_the_decoder_process_ends_with_its_parent(numbered):
    probe_video(numbered)
    pid = server_pid()

    isolation.stop_decoder_process()

    assert not Path(f"/proc/{pid}").exists()


def test_little_memory_refuses_a_large_film(film):
    large = film("a.mp4", size=(2560, 1440), numbers=range(8))

    assert probe_video(large).width == 2560
    with pytest.raises((VideoTooLarge, UnreadableVideo)):
        decode_frames(large, np.arange(8), short_side=256, limits=replace(LIMITS, memory_bytes=220 << 20))


def test_threads_share_the_decoder(numbered, read_number):
    found = {}

    def work(number):
        found[number] = read_number(decode_frames(numbered, np.array([number]), short_side=64).rgb[0])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: number for number in range(8)}


def test_a_pipe_and_a_folder_are_no_video(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")

    for path in (tmp_path / "pipe.mp4", tmp_path, Path("/dev/zero")):
        with pytest.raises(UnreadableVideo, match="plain file"):
            probe_video(path)


@pytest.mark.parametrize(
    "said",
    [
        b"not json\n",
        b"[1]\n",
        b'{"bytes": "many"}\n',
        b'{"bytes": -1}\n',
        b'{"bytes": 99999999999}\n',
        b"{" * 200_000,
        b"[" * 60_000 + b"\n",
        b'{"error": "SystemExit", "message": 7, "bytes": 0}\n',
    ],
    ids=["text", "list", "word", "negative", "huge", "endless", "deep", "error"],
)
def test_a_lying_child_is_an_unreadable_video(said):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = threading.Thread(target=theirs.sendall, args=(said,))
        writer.start()
        with pytest.raises(UnreadableVideo):
            list(isolation.messages(isolation.Replies(ours, time.monotonic() + 5), most_bytes=100))
        ours.close()
        writer.join()


@pytest.mark.parametrize(
    "header",
    [
        {"index": 0, "time_s": 0, "height": 9, "width": 9},
        {"index": 0, "time_s": 0, "height": -1, "width": -1},
        {"index": 7, "time_s": 0, "height": 1, "width": 1},
        {"index": 0, "time_s": "x", "height": 1, "width": 1},
        {},
    ],
    ids=json.dumps,
)
def test_a_child_that_lies_about_a_frame_is_an_unreadable_video(monkeypatch, header):
    monkeypatch.setattr(decode, "call", lambda *_, **__: (each for each in [({**header, "bytes": 3}, bytes(3))]))

    with pytest.raises(UnreadableVideo):
        decode_frames(Path("a.mp4"), np.array([0, 1]), short_side=1)


@pytest.mark.parametrize(
    "lie",
    [{"frames": 0}, {"rate_hz": "NaN"}, {"width": None}, {"rotation": 45}, {"duration_s": 1e999}, {"stated_s": "NaN"}],
    ids=str,
)
def test_a_child_that_lies_about_a_film_is_an_unreadable_video(monkeypatch, numbered, lie):
    truth = asdict(probe_video(numbered))

    monkeypatch.setattr(probe, "call", lambda *_: iter([({**truth, **lie}, b"")]))

    with pytest.raises(UnreadableVideo, match="no sense"):
        probe_video(numbered)
