import pytest
from py_mini_racer import MiniRacer

from app.figures.bundle import NotBundled, bundle


def write(folder, **modules):
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)
    return folder


def test_modules_run_once_each_after_what_they_import(tmp_path):
    write(
        tmp_path,
        entry="import {b, twice as double} from './b.js';\nimport {seen} from './a.js';\n"
        "export const all = () => double(b) + seen.length;",
        b="import {\n  a,\n  seen,\n} from './a.js';\nexport const b = a + 1;\n"
        "export function twice(x) { return 2 * x; }\nseen.push('b');",
        a="export const seen = ['a'];\nexport const a = 20;",
    )
    engine = MiniRacer()
    engine.eval(bundle(tmp_path, "entry.js", "found"))

    assert engine.eval("found.all()") == 44
    assert engine.eval("Object.keys(found).join()") == "all"


def test_imports_reach_folders_but_not_beyond_the_root(tmp_path):
    (tmp_path / "bench").mkdir()
    write(tmp_path, a="export const a = 1;")
    (tmp_path / "bench" / "x.js").write_text("import {a} from '../a.js';\nexport const x = a;")
    (tmp_path / "bench" / "y.js").write_text("import {a} from '../../a.js';")

    assert 'modules["a.js"]' in bundle(tmp_path, "bench/x.js", "found")
    with pytest.raises(NotBundled, match="outside"):
        bundle(tmp_path, "bench/y.js", "found")


@pytest.mark.parametrize(
    "source",
    ["export default 1;", "export let a = 1;", "export {a};", "import a from './a.js';", "import * as a from './a.js';",
     "import './a.js';", "const a = await import(`./${name}.js`);", "export * from './a.js';"],
)  # fmt: skip
def test_what_is_not_understood_is_an_error(tmp_path, source):
    write(tmp_path, entry=source, a="export const a = 1;")

    with pytest.raises(NotBundled, match="not understood"):
        bundle(tmp_path, "entry.js", "found")


def test_a_cycle_is_an_error(tmp_path):
    write(
        tmp_path, a="import {b} from './b.js';\nexport const a = 1;", b="import {a} from './a.js';\nexport const b = 1;"
    )

    with pytest.raises(NotBundled, match=r"a\.js -> b\.js"):
        bundle(tmp_path, "a.js", "found")


def test_a_missing_module_is_an_error(tmp_path):
    with pytest.raises(NotBundled, match="No such file"):
        bundle(tmp_path, "a.js", "found")
