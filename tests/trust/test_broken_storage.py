"""A full disk, damaged files, a damaged database: under a real server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.server import ROOT
from tests.trust.conftest import API
from tests.trust.little import BLOCK
from tests.trust.watched import files_below


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 12 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk):
    """A file that leaves no byte."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return disk / "ballast"


def test_f5_a_full_disk_is_said_leaves_no_rest_and_is_forgotten_once_there_is_room(
    small_disk, start_little, film, figure
):
    data = small_disk / "data"
    server = start_little(data)
    video = film.read_bytes()
    try:
        statuses = [server.http.post(API, content=video + os.urandom(13_000_000)).status_code for _ in range(2)]
        assert statuses == [507, 507]  # the stream meets the end of the disk
        assert not files_below(data / "uploads")
        assert not files_below(data / "clips")

        ballast = fill(small_disk)
        full = server.http.post(API, content=video)
        assert full.status_code == 507
        assert "no room" in full.json()["error"]["message"]
        assert server.http.get(API).status_code == 200  # reading goes on
        assert not files_below(data / "uploads")

        ballast.unlink()
        accepted = server.http.post(API, content=video)
        assert accepted.status_code == 202
        assert server.finish(accepted.json()["id"])["state"] == "done"
        figure("507 for 3 uploads, nothing left; 202 and done once there was room")
    finally:
        server.stop()


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_f9_a_damaged_artefact_is_named_and_never_answered_from(start_little, film, damage, figure, tmp_path):
    server = start_little(tmp_path / "data")
    try:
        clip_id = server.upload(film).json()["id"]
        assert server.finish(clip_id)["state"] == "done"
        folder = server.data / "clips" / clip_id / "analysis"
        questions = {
            f"{BLOCK}.safetensors": f"{API}/{clip_id}/arrows?block={BLOCK}&frame=0&x=0.5&y=0.5",
            "frames.jpg": f"{API}/{clip_id}/frames.jpg",
        }
        for name, question in questions.items():
            content = bytearray((folder / name).read_bytes())
            content[len(content) // 2] ^= 1
            if damage == "remove":
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(content if damage == "flip" else content[:-1])

            response = server.http.get(question)
            assert response.status_code == 500
            assert response.json()["error"]["code"] == "DamagedAnalysis"
            assert "analyse it again" in response.json()["error"]["message"]
        figure("DamagedAnalysis for every file")
        assert server.http.get(f"/clips/{clip_id}").status_code == 200
        assert server.http.delete(f"{API}/{clip_id}").status_code == 204
        again = server.upload(film)
        assert again.status_code == 202
        assert server.finish(again.json()["id"])["state"] == "done"
    finally:
        server.stop()


def test_f8_a_server_with_a_damaged_database_does_not_start_and_names_it(tmp_path, figure):
    data = tmp_path / "data"
    data.mkdir()
    (data / "lens.sqlite").write_bytes(b"SQLite format 3\0" + os.urandom(20_000))

    command = [sys.executable, "-m", "app", "serve", "--port", "0", "--data", str(data)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    figure(f"exit status {ended.returncode}")
    assert ended.returncode != 0
    assert "lens.sqlite is damaged" in ended.stdout + ended.stderr


def test_s2_a_server_whose_decoder_is_not_locked_does_not_start(tmp_path, figure):
    code = (
        "import nonlocal_core.video.bait as bait; bait.BAIT = b'ffconcat version 1.0\\nfile elsewhere.gif\\n'\n"
        "import sys; from app.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--data", str(tmp_path / "data")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    figure(f"exit status {ended.returncode}")
    assert ended.returncode != 0
    assert "DecoderFault" in ended.stdout + ended.stderr
