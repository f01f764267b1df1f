"""A real server for tests: `nonlocal-lens serve` in a process of its own, on a free port, with a real worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]


class LensServer:
    """Start it, ask it, kill it, start it again on the same data folder."""

    def __init__(self, data: Path, log_to: Path | None = None, **environment: str) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.address = f"http://lens.test:{self.port}"  # for browsers: an ordinary host on plain http
        self.http = httpx.Client(base_url=self.url, timeout=60)
        settings = {"hosts": '["lens.test"]'} | environment  # a name that browser tests point at this machine
        self._environment = {f"NONLOCAL_LENS_{name.upper()}": value for name, value in settings.items()}
        self._log = log_to or data.with_suffix(".log")

    def start(self, command: list[str] | None = None) -> LensServer:
        command = command or [
            sys.executable, "-m", "app", "serve", "--port", str(self.port), "--data", str(self.data)
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.wait_until(lambda: self.http.get("/readyz").status_code == 200, "ready")
        return self

    def wait_until(self, condition, what: str, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended:\n{self._log.read_text()[-3000:]}"
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not {what} after {seconds} s:\n{self._log.read_text()[-3000:]}")

    def upload(self, video: Path, **query: str) -> httpx.Response:
        return self.http.post("/api/v1/clips", params={"filename": video.name} | query, content=video.read_bytes())

    def clip(self, clip_id: str) -> dict:
        return self.http.get(f"/api/v1/clips/{clip_id}").json()

    def finish(self, clip_id: str) -> dict:
        """Wait for a final state."""
        self.wait_until(lambda: self.clip(clip_id)["state"] not in ("queued", "running"), "final")
        return self.clip(clip_id)

    def worker_pid(self) -> int:
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [pid for task in tasks for pid in (task / "children").read_text().split()]
        return next(int(pid) for pid in children if "app.jobs.worker" in Path(f"/proc/{pid}/cmdline").read_text())

    def kill(self) -> None:
        """kill -9, nothing else."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(40)
        self.http.close()
        return status
