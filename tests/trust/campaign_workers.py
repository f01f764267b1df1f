"""F15: two worker processes on one real Postgres; one is killed for ever, and the other does its job."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.server import ROOT, LensServer
from tests.trust.watched import until


@pytest.fixture
def postgres():
    """A Postgres of its own, thrown away afterwards; -> its URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("no Postgres here that this user may start: apt-get install postgresql")
    home = Path(tempfile.mkdtemp(prefix="trust-postgres-"))  # pytest's own folders are for its user alone
    shutil.chown(home, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program, *arguments):
        command = ["runuser", "-u", "postgres", "--", str(programs[-1] / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)

    run("initdb", "-D", f"{home}/data", "--auth=trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home}"
    run("pg_ctl", "-D", f"{home}/data", "-o", options, "-w", "-l", f"{home}/log", "start")
    yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", f"{home}/data", "-m", "immediate", "stop")
    shutil.rmtree(home)


def running(server: LensServer, ids: list[str]) -> list[str]:
    """Those of the clips that a worker has."""
    return [clip_id for clip_id in ids if server.clip(clip_id)["state"] == "running"]


@pytest.mark.timeout(600)
def test_f15_the_job_of_a_worker_that_is_gone_for_ever_is_done_by_the_other_within_60_s(
    postgres, tmp_path, sample, figure
):
    data = tmp_path / "data"
    settings = {"database_url": postgres, "worker": "false", "samples": "false"}
    environment = os.environ | {f"NONLOCAL_LENS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "app", "worker", "--data", str(data), "--name"]
    with (tmp_path / "workers.log").open("w") as log:
        workers = [
            subprocess.Popen([*command, name], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
            for name in ("one", "two")
        ]
    server = LensServer(data, **settings).start()
    try:
        ids = [server.upload(sample, start_s=str(n / 10)).json()["id"] for n in range(6)]
        until(lambda: len(running(server, ids)) == 2, 120)  # one each
        held = running(server, ids)
        workers[0].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        done_s = {}
        while len(done_s) < len(ids) and time.monotonic() - killed < 120:
            done_s |= {
                i: time.monotonic() - killed for i in ids if i not in done_s and server.clip(i)["state"] == "done"
            }
            time.sleep(0.2)
        figure(
            f"6 jobs, 2 workers on Postgres, one killed: {len(done_s)} done, "
            f"the lost one's after {max(done_s.get(i, 999) for i in held):.0f} s"
        )
        assert len(done_s) == 6
        assert max(done_s[i] for i in held) < 60
        assert len(server.http.get("/api/v1/clips").json()["clips"]) == 6
        folders = [sorted(p.name for p in (data / "clips" / i).iterdir() if "analysis" in p.name) for i in ids]
        assert folders == [["analysis"]] * 6
    finally:
        server.stop()
        for worker in workers:
            worker.kill()
            worker.wait()
