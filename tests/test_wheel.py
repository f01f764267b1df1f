"""Installed as a wheel, the app finds its pages, modules, samples and weights without the checkout."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "nonlocal_core", "app", "static", "templates")

LOOK = """
import app.pages, app.samples
from nonlocal_core.zoo.cards import CARDS
from app.main import create_app
from app.settings import Settings
create_app(Settings())
assert (app.pages.resource("templates") / "clip.html").is_file()
assert (app.pages.resource("static") / "js" / "lens.js").is_file()
assert (app.pages.resource("static") / "css" / "base.css").is_file()
assert len(list(app.samples.sample_files())) == 3
assert CARDS["default"].weights.is_file()
print(app.pages.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The wheel, unpacked into a folder of its own, from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in PARTS:
        path = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, source / name, ignore=ignored) if path.is_dir() else shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True, cwd=folder
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True, cwd=folder)
    return folder / "site"


def test_the_wheel_is_whole(installed):
    # site-packages on PYTHONPATH gives the dependencies, but not the editable install of the checkout
    paths = os.pathsep.join([str(installed), *site.getsitepackages()])
    run = subprocess.run(
        [sys.executable, "-S", "-c", LOOK], cwd=installed.parent, env={"PYTHONPATH": paths}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(installed))
