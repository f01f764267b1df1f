"""docs/deployment.md under test: its own commands back up a server that works, and restore it elsewhere."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from pathlib import Path

from tests.server import LensServer

DOCUMENT = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
QUESTION = {"block": "mixed_4c", "frame": 8, "x": 0.5, "y": 0.4, "k": 20}


def follow(heading: str, **folders: Path) -> None:
    """Run the first block of commands under a heading."""
    part = DOCUMENT.split(f"\n## {heading}\n")[1]
    commands = re.search(r"```sh\n(.+?)```", part, re.DOTALL)[1]
    environment = os.environ | {name: str(path) for name, path in folders.items()}
    subprocess.run(["bash", "-euc", commands], env=environment, check=True)


def arrows(server: LensServer, clip_id: str) -> dict:
    return server.http.get(f"/api/v1/clips/{clip_id}/arrows", params=QUESTION).raise_for_status().json()


def test_a_backup_of_a_working_server_restores_clips_answers_and_the_job_that_ran(server, sample, sample_id, tmp_path):
    running = server.upload(sample, start_s="0.12").json()["id"]
    server.wait_until(lambda: server.clip(running)["state"] == "running", "running")
    backup, data = tmp_path / "backup", tmp_path / "restored"
    backup.mkdir()

    follow("Back up", DATA=server.data, BACKUP=backup)
    assert server.clip(running)["state"] in ("running", "done")
    told, answer = server.http.get("/api/v1/clips").json()["clips"], arrows(server, sample_id)
    server.finish(running)
    server.http.delete(f"/api/v1/clips/{running}")
    follow("Restore", DATA=data, BACKUP=backup)

    with sqlite3.connect(backup / "lens.sqlite") as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept.execute("SELECT state FROM clips WHERE id = ?", [running]).fetchone() == ("running",)
    kept.close()
    restored = LensServer(data).start()
    try:
        assert {clip["id"] for clip in restored.http.get("/api/v1/clips").json()["clips"]} == {c["id"] for c in told}
        assert arrows(restored, sample_id) == answer
        assert restored.finish(running)["state"] == "done"
        assert arrows(restored, running)["arrows"]
    finally:
        assert restored.stop() == 0
