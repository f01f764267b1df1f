"""docs/features.md names every feature once, and tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "features.md").read_text(encoding="utf-8")
FEATURES = {
    row: (level, shown) for row, level, shown in re.findall(r"^\| (.+?) \| ([MS]) \| .*? ?\| (.+) \|$", TEXT, re.M)
}
MISTAKES = dict(re.findall(r"^\| ((?!row \|)[^|]+) \| ([^|]+) \|$", TEXT, re.M))
ADDRESS = r"`([\w/.]+)::([^`]+)`"


def test_every_row_of_features_md_is_in_the_table_with_its_level(desk):
    wanted = (desk / "FEATURES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([MS]) \| (.+?)(?: `own`)? \|", wanted, re.M)
    mistakes = wanted.partition("(each is a test here)")[2].strip().rstrip(".").replace(";\n", "; ")

    assert {row: level for level, row in rows} == {row: level for row, (level, _) in FEATURES.items()}
    assert mistakes.split("; ") == list(MISTAKES)


@pytest.mark.parametrize("row", [*FEATURES, *MISTAKES])
def test_a_row_is_shown_by_tests_that_exist(row):
    shown = FEATURES[row][1] if row in FEATURES else MISTAKES[row]
    addresses = re.findall(ADDRESS, shown)

    assert addresses
    assert shown.count("::") == len(addresses)  # none is misspelt
    for path, name in addresses:
        text = (TESTS / path).read_text(encoding="utf-8")
        assert (f"test('{name}'" if path.endswith(".mjs") else f"def {name}(") in text, name


@pytest.mark.parametrize("row", [row for row, (level, _) in FEATURES.items() if level == "M"])
def test_what_must_be_is_shown_in_a_browser(row):
    assert "`browser/" in FEATURES[row][1]


def test_no_row_stands_twice():
    assert not [
        row for row, count in Counter(re.findall(r"^\| (.+?) \|", TEXT, re.M)).items() if count > 1 and row != "row"
    ]
