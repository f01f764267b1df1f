"""`doctor` finds what is broken, says it in words, and shows no password."""

from __future__ import annotations

import pytest

from app.cli import main
from app.database import open_database
from app.doctor import examine_server
from app.library import Library
from app.settings import Settings
from nonlocal_core import doctor
from nonlocal_core.errors import DecoderFault


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """What is found, by what was looked at; the slow parts answer at once."""

    def find(**settings):
        monkeypatch.setattr(doctor, "_decoder", lambda: "tested elsewhere")
        monkeypatch.setattr(doctor, "_model", lambda name, _folder: name)
        chosen = Settings(**({"data": tmp_path / "data"} | settings))
        return {finding.what: finding for finding in examine_server(chosen)}

    return find


def test_a_sound_installation_has_no_fault(tmp_path, findings):
    engine = open_database(tmp_path / "data", None)
    Library(engine, tmp_path / "data")
    engine.dispose()

    found = findings()

    assert all(finding.good for finding in found.values())
    assert "is sound and knows 0 clips" in found["database"].words
    assert "can be written; hard links work" in found["data folder"].words
    assert not list((tmp_path / "data").glob(".doctor*"))


def test_nothing_is_made_where_nothing_is(tmp_path, findings):
    found = findings()

    assert "is made at the first start" in found["database"].words
    assert "can be made in" in found["data folder"].words
    assert not (tmp_path / "data").exists()


def test_a_damaged_database_is_named(tmp_path, findings):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lens.sqlite").write_bytes(b"no database" * 100)

    found = findings()["database"]

    assert not found.good
    assert "lens.sqlite is damaged" in found.words


def test_a_postgres_that_does_not_answer_is_named_without_its_password(findings):
    found = findings(database_url="postgresql://lens:hunter2@127.0.0.1:1/lens")["database"]

    assert not found.good
    assert "127.0.0.1:1" in found.words
    assert "hunter2" not in found.words
    assert "\n" not in found.words


def test_a_folder_that_cannot_be_written_is_named(findings):
    found = findings(data="/proc/nowhere")["data folder"]

    assert not found.good
    assert "/proc" in found.words


def test_a_disk_that_is_nearly_full_is_named(findings, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": 5_000_000})())

    assert "only 5 MB are free" in findings()["disk"].words


def test_a_gpu_that_torch_cannot_use_is_a_fault(findings, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "GPU_DEVICES", (str(tmp_path),))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    assert not findings()["device"].good


def test_the_command_says_bad_and_ends_with_1_for_an_unsafe_decoder(tmp_path, monkeypatch, capsys):
    def unsafe() -> str:
        raise DecoderFault("format_whitelist has no effect")

    monkeypatch.setattr(doctor, "_decoder", unsafe)
    monkeypatch.setattr(doctor, "_model", lambda name, _folder: name)

    assert main(["doctor", "--data", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "BAD  decoder: format_whitelist has no effect" in told
    assert "ok   database: " in told
    assert "no key is set" in told
