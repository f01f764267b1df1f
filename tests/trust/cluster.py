"""A cluster on one machine: a real Postgres that can be stopped, web processes, and workers by themselves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.server import ROOT, LensServer
from tests.trust.watched import until


class Postgres:
    """A Postgres of its own in a temporary folder."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._home = Path(tempfile.mkdtemp(prefix="trust-postgres-"))  # pytest's own folders are for its user alone
        shutil.chown(self._home, "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"postgresql://lens@127.0.0.1:{self._port}/lens"
        self._run("initdb", "-D", f"{self._home}/data", "-U", "lens", "--auth=trust", "--no-sync")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "lens", "lens")

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._home}"
        self._run("pg_ctl", "-D", f"{self._home}/data", "-o", options, "-w", "-l", f"{self._home}/log", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", f"{self._home}/data", "-m", mode, "stop")

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._home)

    def ask(self, command: str, content: bytes = b"") -> bytes:
        """What a program of Postgres, called as in docs/deployment.md, makes of `content`."""
        environment = os.environ | {"PGHOST": "127.0.0.1", "PGPORT": str(self._port)}
        program, *arguments = command.split()
        return subprocess.run(
            [str(self._programs / program), *arguments], env=environment, input=content, check=True,
            stdout=subprocess.PIPE, cwd=self._home,
        ).stdout  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        command = ["runuser", "-u", "postgres", "--", str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._home)


def started_postgres() -> Postgres:
    """One that runs, with an empty database; skips the test where this user may not have one."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("no Postgres here that this user may start: as root, apt-get install postgresql")
    return Postgres(programs[-1])


class Cluster:
    """Web processes and workers that share a database and a data folder, one thread of torch per worker."""

    def __init__(self, folder: Path) -> None:
        self.postgres = started_postgres()
        self.data = folder / "data"
        self._settings = {"database_url": self.postgres.url, "worker": "false", "samples": "false"}
        self._folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.webs: list[LensServer] = []

    def start(self, *, webs: int, workers: int) -> Cluster:
        for _ in range(workers):
            self.add_worker()
        for _ in range(webs):
            server = LensServer(self.data, log_to=self._folder / f"web-{len(self.webs)}.log", **self._settings)
            self.webs.append(server.start())
        return self

    def add_worker(self) -> None:
        """One more, once it takes jobs."""
        name = f"worker-{len(self.workers)}"
        given = {f"NONLOCAL_LENS_{name.upper()}": value for name, value in self._settings.items()}
        command = [sys.executable, "-m", "app", "worker", "--data", str(self.data), "--name", name]
        log = self._folder / f"{name}.log"
        with log.open("wb") as said:
            environment = os.environ | given | {"OMP_NUM_THREADS": "1"}
            self.workers.append(
                subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
            )
        until(lambda: "takes jobs" in log.read_text(), 120)

    def upload(self, video: Path, starts: range) -> list[str]:
        """Jobs, by turns to each web process; -> the clips' ids."""
        turns = [self.webs[n % len(self.webs)] for n in range(len(starts))]
        return [web.upload(video, start_s=str(n / 100)).json()["id"] for web, n in zip(turns, starts, strict=True)]

    def states(self, ids: list[str]) -> dict[str, str]:
        return {clip_id: self.webs[0].clip(clip_id)["state"] for clip_id in ids}

    def said_by(self, kind: str) -> str:
        return "".join(path.read_text() for path in sorted(self._folder.glob(f"{kind}-*.log")))

    def stop(self) -> None:
        for web in self.webs:
            if web.process.poll() is None:
                web.stop()
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def remove(self) -> None:
        self.stop()
        self.postgres.remove()
