"""The parent's side of the isolated decoder: start it, hand it a file, read what it says, end it in time.

Why not `multiprocessing`: its forkserver runs the caller's main module again in every child (torch and all), and its
replies are pickles. `call` is the only entry; `probe.py` and `decode.py` give its messages a meaning. Linux only.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nonlocal_core.errors import DecoderFault, UnreadableVideo, VideoError, VideoTooLarge
from nonlocal_core.video.info import DecodeLimits

START, FINISH, STOP = b"+", b"-", b"."
ANSWER_S = 30.0  # for the decoder process to load PyAV on a busy machine, once
LONGEST_HEADER = 1 << 16
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}  # threads and arenas eat address space
START_UP = (
    "import sys; sys.path.insert(0, sys.argv[2]); from nonlocal_core.video.child import serve; serve(int(sys.argv[1]))"
)
PACKAGE_PARENT = Path(__file__).resolve().parents[2]

Message = tuple[dict[str, Any], bytes]


def call(task: str, path: Path, limits: DecodeLimits, *, most_bytes: int = 0, **arguments: Any) -> Generator[Message]:
    """What a fresh child says about the file: the header and the bytes (at most `most_bytes`) of each message.

    The child is dead when this ends, also when the caller stops listening.

    Raises:
        UnreadableVideo, VideoTooLarge: the child's verdict, or what its death amounts to.
        DecoderFault: the decoder process does not start.
    """
    deadline = time.monotonic() + limits.wall_s
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = start_child(path, theirs, task)
        try:
            ours.settimeout(limits.wall_s)
            ours.sendall(json.dumps({"task": task, "limits": asdict(limits), "arguments": arguments}).encode() + b"\n")
            yield from messages(Replies(ours, deadline), most_bytes)
        except TimeoutError:
            raise VideoTooLarge(f"reading the video took more than {limits.wall_s:g} s; make it smaller") from None
        except (EOFError, ConnectionError):
            raise death(child.finish(), limits) from None
        finally:
            child.finish()


def messages(replies: Replies, most_bytes: int) -> Iterator[Message]:
    """The child's messages up to {"done"}; an {"error"} is raised."""
    while True:
        header = replies.header()
        if "error" in header:
            raise verdict(header)
        if "done" in header:
            return
        size = int(header["bytes"])
        if not 0 <= size <= most_bytes:
            raise UnreadableVideo(f"the decoder sent {size} bytes where at most {most_bytes} were expected")
        yield header, replies.payload(size)


class Replies:
    """Reads the child's socket until the deadline. What it says may be a lie, if the file has taken it over."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._rest = b""

    def header(self) -> dict[str, Any]:
        """The next line, which must be a JSON object.

        Raises:
            UnreadableVideo: it is none. EOFError: the child has died. TimeoutError: the deadline has passed.
        """
        line, end, rest = self._rest.partition(b"\n")
        while not end:
            if len(line) > LONGEST_HEADER:
                raise UnreadableVideo("the decoder sent a line without an end")
            line, end, rest = (line + self._receive(LONGEST_HEADER)).partition(b"\n")
        self._rest = rest
        try:
            header = json.loads(line)
            return {**header, "bytes": int(header.get("bytes", 0))}
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UnreadableVideo("the decoder sent something that is no message") from None

    def payload(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        parts, missing = [self._rest[:size]], size - len(self._rest[:size])
        self._rest = self._rest[size:]
        while missing:
            parts.append(self._receive(min(missing, 1 << 20)))
            missing -= len(parts[-1])
        return b"".join(parts)

    def _receive(self, most: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        received = self._sock.recv(most)
        if not received:
            raise EOFError
        return received


def verdict(header: dict[str, Any]) -> VideoError:
    """The child's error; only two classes are taken from it."""
    kind = VideoTooLarge if header["error"] == VideoTooLarge.__name__ else UnreadableVideo
    return kind(str(header.get("message"))[:1000])


def death(status: int, limits: DecodeLimits) -> VideoError:
    """What it means that the child died with this exit status without a word."""
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return VideoTooLarge(
            f"decoding took more than {limits.cpu_s} s of processor time or too much memory; make the video smaller"
        )
    return UnreadableVideo("the decoder crashed on this file, which is damaged or made to harm")


class Child:
    """A running child, by its process id."""

    def __init__(self, process: DecoderProcess, pid: int, task: str) -> None:
        self._process = process
        self._pid = pid
        self._task = task
        self._status: int | None = None

    def finish(self) -> int:
        """Ends it, if it still runs; its exit status."""
        if self._status is None:
            status, _, peak_bytes = self._process.ask(FINISH + str(self._pid).encode()).partition(b" ")
            self._status = int(status or -signal.SIGKILL)
            for observe in _observers:
                observe(self._task, int(peak_bytes or 0))
        return self._status


_observers: list[Callable[[str, int], None]] = []


@contextlib.contextmanager
def watch_children(observe: Callable[[str, int], None]) -> Generator[None]:
    """While open, `observe(task, peak_bytes)` hears of each child that ends: the most memory it held, shared pages too.

    0 bytes when the decoder process died with it.
    """
    _observers.append(observe)
    try:
        yield
    finally:
        _observers.remove(observe)


class DecoderProcess:
    """The one process that forks the children; see `child.serve`. It ends when this process does."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(ANSWER_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", START_UP, str(theirs.fileno()), str(PACKAGE_PARENT)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal is for the server alone
            )

    def ask(self, message: bytes, files: tuple[int, ...] = ()) -> bytes:
        """The answer to a request; empty when the process is gone."""
        try:
            with self._lock:
                socket.send_fds(self._control, [message], files)
                return self._control.recv(64)
        except OSError:
            return b""

    def close(self) -> None:
        """Ends it, and with it all its children."""
        with contextlib.suppress(OSError):
            self._control.send(STOP)  # closing would not do: a fork of this process may hold the socket too
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_current: DecoderProcess | None = None
_starting = threading.Lock()


def decoder_process(*, instead_of: DecoderProcess | None = None) -> DecoderProcess:
    """This process's decoder process, started on first use; another one in the place of `instead_of`."""
    global _current
    with _starting:
        if _current is None or _current is instead_of or _current.owner != os.getpid():
            if _current is not None and _current.owner == os.getpid():
                _current.close()
            _current = DecoderProcess()
        return _current


@atexit.register
def stop_decoder_process() -> None:
    """Ends the decoder process, if this process has started one."""
    global _current
    if _current is not None and _current.owner == os.getpid():
        _current.close()
    _current = None


def start_child(path: Path, replies: socket.socket, task: str) -> Child:
    """A child that holds the file and the socket; the decoder process is started anew when it has died."""
    file = open_plain_file(path)
    try:
        process = decoder_process()
        answer = process.ask(START, (file, replies.fileno()))
        if not answer:
            process = decoder_process(instead_of=process)
            answer = process.ask(START, (file, replies.fileno()))
    finally:
        os.close(file)
    if not answer:
        raise DecoderFault("the isolated decoder does not start; see its messages above")
    return Child(process, int(answer), task)


def open_plain_file(path: Path) -> int:
    """A descriptor to read the file.

    Raises:
        UnreadableVideo: it is missing, may not be read, or is a pipe, a folder or a device.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # O_NONBLOCK: a pipe must not hold us up
    except (OSError, ValueError) as error:
        raise UnreadableVideo(f"the video file cannot be opened: {error}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UnreadableVideo("the video is not a plain file")
    return file
