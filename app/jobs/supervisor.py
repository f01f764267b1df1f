"""Keeps one worker process running as long as the server runs."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

LOAD_TASK = "app.jobs.task:load_task"
STOP_S = 30.0  # a worker that has not left by then is killed; its job is taken up again at the next start
BACKOFF_S = (0.1, 15.0)  # first and longest wait before a worker that never got ready is started again


class Supervisor:
    """Starts the worker, and starts it again whenever it dies.

    Args:
        settings_json: `Settings.model_dump_json()`, what the worker reads of it is in worker.py.
        task: "module:function" that makes the worker's Task; tests give their own.
    """

    def __init__(self, settings_json: str, *, task: str = LOAD_TASK) -> None:
        self._settings_json = settings_json
        self._task = task
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep_alive, name="worker-supervisor", daemon=True)
        self.starts = 0

    @property
    def alive(self) -> bool:
        """Whether the worker process runs, be it still loading its model."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether the worker takes jobs."""
        return self._ready.is_set() and self.alive

    @property
    def pid(self) -> int | None:
        """The worker's process id, None before the first start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the first worker; returns at once, see `ready`."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the worker to stop and wait until it is gone: a few seconds, 30 at most. Blocks: use a thread."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_S
        while self._thread.is_alive():
            process = self._process
            if process is not None and process.poll() is None:
                process.terminate() if time.monotonic() < deadline else process.kill()
            self._thread.join(0.1)

    def _keep_alive(self) -> None:
        wait_s = BACKOFF_S[0]
        while not self._stopping.is_set():
            got_ready = self._run_once()
            if self._stopping.is_set():
                return
            # One that was ready was killed by its job or from outside: the queue should not wait for long.
            wait_s = BACKOFF_S[0] if got_ready else min(wait_s * 2, BACKOFF_S[1])
            log.warning("the worker ended with status %s; next start in %.1f s", self._status(), wait_s)
            self._stopping.wait(wait_s)

    def _run_once(self) -> bool:
        """One life of a worker; -> whether it got as far as taking jobs."""
        command = [sys.executable, "-m", "app.jobs.worker", self._task]
        # Its own session, so that Ctrl-C at the terminal reaches the server alone, which stops it in order.
        process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._process = process
        self.starts += 1
        got_ready = False
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(self._settings_json + "\n")
                process.stdin.flush()  # and left open: its end is how the worker learns that we are gone
                got_ready = process.stdout.readline() == "ready\n"
                if got_ready:
                    self._ready.set()
                    process.wait()
            except BrokenPipeError:
                log.warning("the worker ended before it read its settings")
            finally:
                self._ready.clear()
        return got_ready

    def _status(self) -> int | None:
        return None if self._process is None else self._process.returncode
