"""The isolated side: a small process that forks one disposable child per file. Started by `isolation.py` only.

This process has PyAV and NumPy loaded and nothing else: no torch, no thread, an empty environment. For each request it
gets the open file and a socket, and forks; the child puts itself under limits, does one task and is gone. Replies are
JSON and bytes, never pickles: a child that a hostile file has taken over must not be able to run code in the server.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from nonlocal_core.errors import LensError, UnreadableVideo, VideoTooLarge
from nonlocal_core.video import locks, reading
from nonlocal_core.video.info import DecodeLimits

TASKS: dict[str, Callable[..., Iterator[reading.Message]]] = {
    "probe": reading.probe,
    "decode": reading.decode,
    "keys": reading.keys,
    "locks": locks.open_locks,
}

START, FINISH = b"+", b"-"
OPEN_FILES = 64


def serve(control_file: int) -> None:
    """Forks a child for each START, ends and reaps it at FINISH; returns when told to, or when the parent is gone."""
    control = socket.socket(fileno=control_file)
    importlib.import_module("av.subtitles.stream")  # PyAV loads it late: at the first film, again in every child
    gc.freeze()  # children share the pages of what is loaded now
    children: set[int] = set()
    while True:
        message, files, _, _ = socket.recv_fds(control, 64, 2)
        if message == START:
            pid = fork_child(control, *files)
            children.add(pid)
            control.send(str(pid).encode())
        elif message.startswith(FINISH):
            pid = int(message[1:])
            children.remove(pid)
            control.send(b"%d %d" % end(pid))
        else:
            break
    for pid in children:
        end(pid)


def fork_child(control: socket.socket, file: int, replies: int) -> int:
    """The child's process id. It is not reaped before FINISH, so the id cannot come to mean another process."""
    pid = os.fork()
    if pid == 0:
        try:
            control.close()
            work(file, replies)
        finally:
            os._exit(1)
    os.close(file)
    os.close(replies)
    return pid


def end(pid: int) -> tuple[int, int]:
    """Kills the child if it still runs; its exit status, negative for the signal that ended it, and most bytes held."""
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def work(file: int, replies: int) -> NoReturn:
    """The whole life of a child."""
    out = socket.socket(fileno=replies)
    request = json.loads(read_line(out))
    limits = DecodeLimits(**request["limits"])
    confine(limits)
    try:
        with open(file, "rb") as video:  # a descriptor: no name, only content counts
            for header, payload in TASKS[request["task"]](video, limits, **request["arguments"]):
                send(out, header, payload)
        send(out, {"done": True})
    # PyAV raises nearly anything on bad data: UnicodeDecodeError, PermissionError, ArgumentError, ...
    except BaseException as fault:
        error = as_video_error(fault)
        with contextlib.suppress(OSError):
            send(out, {"error": type(error).__name__, "message": str(error)})
    os._exit(0)


def confine(limits: DecodeLimits) -> None:
    """From here on: little memory, little time, few files, no output but the socket, no environment."""
    os.environ.clear()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def as_video_error(fault: BaseException) -> LensError:
    """What the user is told: our own errors as they are, a lack of memory as too large, all else as unreadable."""
    if isinstance(fault, LensError):
        return fault
    if isinstance(fault, MemoryError):
        return VideoTooLarge("the video needs too much memory or has too many streams; make it smaller")
    reason = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
    return UnreadableVideo(f"the file cannot be read as MP4, MOV, WebM, Matroska, AVI or GIF: {reason[:300]}")


def send(out: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
    """One line of JSON, which tells the length of the bytes that follow it."""
    out.sendall(json.dumps({**header, "bytes": len(payload)}).encode() + b"\n")
    out.sendall(payload)


def read_line(out: socket.socket) -> bytes:
    """The request: the parent sends one line and then only listens."""
    line = b""
    while not line.endswith(b"\n"):
        line += out.recv(1 << 16) or b"\n"
    return line
