"""What processes cost, read from /proc: resident memory, address space, descriptors, and the decoder's children."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

MB = 1e6


def status(pid: int) -> dict[str, int]:
    """The sizes of a process in bytes; empty when it is gone, a zombie included."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Vm")}


def resident_mb(pid: int) -> float:
    return status(pid).get("VmRSS", 0) / MB


def private_mb(pid: int) -> float:
    """Memory that is this process's own: what grows when something leaks. Slower to ask than `resident_mb`."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) * 1024 / MB


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return found


def family_of(pid: int) -> list[int]:
    """The process and all that descend from it."""
    return [pid, *(below for child in children(pid) for below in family_of(child))]


def listening(pid: int) -> set[str]:
    """The addresses, with their ports, on which a process itself takes TCP connections."""
    held: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            held.add(str(descriptor.readlink()))
    found: set[str] = set()
    for table, family, size in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_rest = fields = line.split()
            if state == "0A" and f"socket:[{fields[9]}]" in held:
                address, port = local.split(":")
                raw = bytes.fromhex(address)  # words of 32 bits, each in this machine's order
                words = [raw[n : n + 4] if sys.byteorder == "big" else raw[n : n + 4][::-1] for n in range(0, size, 4)]
                found.add(f"{socket.inet_ntop(family, b''.join(words))}:{int(port, 16)}")
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Watch:
    """While it is entered, looks every few milliseconds at a server, its worker and every child of a decoder process.

    `peaks` has, by role ("web", "worker", "child"), the largest resident memory and address space seen, in bytes.
    """

    def __init__(self, server_pid: int, every_s: float = 0.005) -> None:
        self._server = server_pid
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.peaks: dict[str, dict[str, int]] = defaultdict(lambda: {"VmHWM": 0, "VmPeak": 0})
        self.seen_children: set[int] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._stop.wait(self._every_s):
            self._note("web", self._server)
            for pid in children(self._server):
                command = command_of(pid)
                self._look_at_decoder(pid, command)
                if "app.jobs.worker" in command:
                    self._note("worker", pid)
                    for below in children(pid):
                        self._look_at_decoder(below, command_of(below))

    def _look_at_decoder(self, pid: int, command: str) -> None:
        if "nonlocal_core.video.child" in command:
            for child in children(pid):
                self.seen_children.add(child)
                self._note("child", child)

    def _note(self, role: str, pid: int) -> None:
        sizes, peak = status(pid), self.peaks[role]
        for name in peak:
            peak[name] = max(peak[name], sizes.get(name, 0))


def until(condition: Any, seconds: float = 30.0) -> float:
    """Wait for a condition; -> how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
