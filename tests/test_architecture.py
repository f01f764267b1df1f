"""The shape of the house: imports point down, questions need no torch, every setting is read and told."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings

ROOT = Path(__file__).parents[1]

# From the bottom up, as DESIGN.md draws it; a module may import from its own layer (its own group of names) or below.
LAYERS = [
    {"nonlocal_core.durable", "nonlocal_core.errors", "nonlocal_core.tensor_file"},
    {"nonlocal_core.geometry", "nonlocal_core.variant"},
    {"nonlocal_core.model", "nonlocal_core.video"},
    {"nonlocal_core.affinity", "nonlocal_core.zoo", "nonlocal_core.notebook"},
    {"nonlocal_core.analysis"},
    {"nonlocal_core.learn", "nonlocal_core.doctor"},
    {"nonlocal_core"},
    {"nonlocal_core.commands"},
    {"nonlocal_core.cli"},
    {"app.patience", "app.problems", "app.resources", "app.settings", "app.security", "app.logs", "app.metrics"},
    {"app.database", "app.uploads"},
    {"app.clips_table"},
    {"app.library"},
    {"app.bodies", "app.questions", "app.quotas", "app.doctor"},
    {"app.figures"},
    {"app.jobs", "app.overviews"},
    {"app.schemas", "app.pages", "app.samples"},
    {"app.findings", "app.wishes"},
    {"app.errors", "app.home", "app.services"},
    {"app.routes", "app.access"},
    {"app.main"},
    {"app.cli"},
    {"app.__main__", "app"},
]
MODULES = sorted([*(ROOT / "nonlocal_core").rglob("*.py"), *(ROOT / "app").rglob("*.py")])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_of(path) for path in MODULES}


def place_of(module: str) -> tuple[int, str]:
    """Layer and part: the longest name in LAYERS that covers the module."""
    found = [(i, part) for i, parts in enumerate(LAYERS) for part in parts if f"{module}.".startswith(f"{part}.")]
    return max(found, key=lambda place: len(place[1]))


def imports_of(path: Path) -> set[str]:
    """Modules of ours imported at run time; what only type checkers read is free."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    named = [(n.module, alias.name) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names]
    found = {f"{module}.{name}" if f"{module}.{name}" in NAMES else str(module) for module, name in named}
    found |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    return {name for name in found if name.split(".")[0] in ("app", "nonlocal_core")}


@pytest.mark.parametrize("path", MODULES, ids=module_of)
def test_imports_point_downwards(path):
    layer, part = place_of(module_of(path))
    for imported in imports_of(path):
        their_layer, their_part = place_of(imported)
        assert their_layer < layer or their_part == part, f"{module_of(path)} imports {imported}, which is not below it"


@pytest.mark.parametrize("module", ["app.main", "nonlocal_core.affinity.store", "nonlocal_core.cli"])
def test_questions_import_no_torch(module):
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'av' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_read_by_the_code_and_told_in_the_readme(name):
    code = "".join(path.read_text(encoding="utf-8") for path in MODULES if path.name != "settings.py")

    assert f"settings.{name}" in code
    assert f"NONLOCAL_LENS_{name.upper()}" in (ROOT / "README.md").read_text(encoding="utf-8")
