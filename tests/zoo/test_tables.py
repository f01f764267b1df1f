"""Each rule's example, written as a comment `# theirs -> ours` in its table's file, is a case here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nonlocal_core.zoo import caffe2, deepmind, gluoncv, mmaction2, pyslowfast, tushar_n
from nonlocal_core.zoo.convert import SOURCES
from nonlocal_core.zoo.rules import Rule, rename

TABLES = {
    "caffe2": (caffe2, caffe2.RULES),
    "deepmind": (deepmind, deepmind.RULES),
    "gluoncv": (gluoncv, gluoncv.TORCH_RULES),
    "gluoncv_mxnet": (gluoncv, gluoncv.MXNET_RULES),
    "mmaction2": (mmaction2, mmaction2.RULES),
    "pyslowfast": (pyslowfast, pyslowfast.RULES),
    "tushar_n": (tushar_n, tushar_n.RULES),
}


def examples(module) -> list[tuple[str, str]]:
    return re.findall(r"# (\S+) -> (\S+)$", Path(module.__file__).read_text(encoding="utf-8"), re.MULTILINE)


CASES = [
    (name, theirs, ours)
    for name, (module, rules) in TABLES.items()
    for theirs, ours in examples(module)
    if name != "gluoncv" or not re.search(r"\.(gamma|beta)$", theirs)  # the two gluoncv tables share a file
    if name != "gluoncv_mxnet" or not re.search(r"(bn\d?|stage\.1|sample\.1)\.(weight|bias)$", theirs)
]


@pytest.mark.parametrize(("table", "theirs", "ours"), CASES)
def test_an_example_in_a_comment_is_what_its_rule_does(table, theirs, ours):
    renamed = rename({theirs: np.zeros((1, 2, 1, 1), np.float32)}, TABLES[table][1])

    assert renamed.misfits == []
    assert [*renamed.tensors] == [ours]


@pytest.mark.parametrize("table", TABLES)
def test_every_rule_has_an_example(table):
    module, rules = TABLES[table]

    without = [
        rule.theirs
        for rule in rules
        if isinstance(rule, Rule) and not any(re.fullmatch(rule.theirs, theirs) for theirs, _ in examples(module))
    ]

    assert without == []


def test_every_source_has_its_table_here():
    assert {id(source.rules) for source in SOURCES} == {id(rules) for _, rules in TABLES.values()}
