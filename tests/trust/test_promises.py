"""The table of `make trust` names every row once, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.trust.promises import PROMISES

ROOT = Path(__file__).parents[2]


def test_every_row_of_trust_md_is_in_the_table(desk):
    text = (desk / "TRUST.md").read_text()
    rows = re.findall(r"(?<![A-Za-z0-9])([SFL]\d{1,2}) (?=[a-zA-Z0-9])", text)

    assert {promise.row for promise in PROMISES} == set(rows)
    assert len({promise.row for promise in PROMISES}) == len(PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.row)
def test_a_row_is_shown_by_tests_that_exist_or_says_why_not(promise):
    assert promise.evidence or promise.unshown
    for address in promise.evidence:
        path, _, name = address.partition("::")
        text = (ROOT / path).read_text()
        assert f"def {name}" in text, address
