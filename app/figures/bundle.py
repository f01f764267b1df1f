"""Our ES modules in one classic script, for places that load no modules: V8 without a browser, a page in one file.

    import {a, b as c} from './x.js'      const {a, b: c} = modules["x.js"]
    export function f() {}                function f() {}  ...  return {f}

Each module becomes a function that is called once, those it imports before it. What this does not understand is an
error, never a guess: default exports, `export let` (a live binding), namespaces, cycles, import() with an expression.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from nonlocal_core.errors import LensError

_IMPORT = re.compile(r"^import\s*\{([^}]*)\}\s*from\s*['\"](\.[^'\"]+)['\"];?[ \t]*$", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const)\s+([\w$]+)", re.MULTILINE)
_REST = re.compile(r"^(?:import|export)\b.*$|\bimport\s*\(.*$", re.MULTILINE)


class NotBundled(LensError):
    """A module uses something that the bundle does not understand."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}; write it so that app/figures/bundle.py understands it")


def bundle(root: Path, entry: str, name: str) -> str:
    """A script that sets the global `name` to the exports of `entry` and runs all that it imports.

    Args:
        root: the folder of the modules; imports must stay in it.
        entry: a module's path in `root`, such as "figure.js".

    Raises:
        NotBundled: a module is missing or uses what is not understood.
    """
    order: dict[str, str] = {}
    _visit(root, entry, (), order)
    parts = [f"modules[{_quoted(module)}] = (() => {{\n{code}\n}})();" for module, code in order.items()]
    script = "\n".join(["'use strict';", "const modules = {};", *parts])
    return f"(() => {{\n{script}\nglobalThis.{name} = modules[{_quoted(entry)}];\n}})();\n"


def _visit(root: Path, module: str, path: tuple[str, ...], order: dict[str, str]) -> None:
    """Add `module` and what it imports to `order`, imported ones first; `path` leads to it."""
    if module in order:
        return
    if module in path:
        raise NotBundled(module, f"imports itself by way of {' -> '.join(path[path.index(module) :])}")
    try:
        source = (root / module).read_text(encoding="utf-8")
    except OSError as error:
        raise NotBundled(module, f"cannot be read ({error.strerror})") from error
    for _, target in _IMPORT.findall(source):
        _visit(root, _resolved(module, target), (*path, module), order)
    order[module] = _function_body(module, source)


def _resolved(module: str, target: str) -> str:
    parts: list[str] = []
    for part in (PurePosixPath(module).parent / target).parts:
        if part == "..":
            if not parts:
                raise NotBundled(module, f"imports {target!r} from outside of the folder")
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _function_body(module: str, source: str) -> str:
    def import_line(found: re.Match[str]) -> str:
        names = ", ".join(" ".join(part.split()) for part in found[1].split(",") if part.strip())
        return f"const {{{names.replace(' as ', ': ')}}} = modules[{_quoted(_resolved(module, found[2]))}];"

    exported = [name for _, name in _EXPORT.findall(source)]
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(import_line, source))
    rest = _REST.search(body)
    if rest:
        raise NotBundled(module, f"{rest[0].strip()!r} is not understood")
    return f"{body}\nreturn {{{', '.join(exported)}}};"


def _quoted(module: str) -> str:
    if not re.fullmatch(r"[\w./-]+", module):
        raise NotBundled(module, "is a strange name")
    return f'"{module}"'
