"""`make trust` or `python -m tests.trust [ROW ...] [--scale 0.1]`: the promises of TRUST.md, measured and judged.

Scale 1 is what TRUST.md asks for (10 000 mutated films, 20 kills, 60 s of clicks; L4 and L5 are their full length) and
takes about an hour and a half on two cores; the default takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.trust.promises import PROMISES, Promise, files_of

WIDTHS = (4, 46, 88)


class Collector:
    """Keeps to the tests that show a promise; afterwards knows each one's outcome and figures."""

    def __init__(self, promises: tuple[Promise, ...]) -> None:
        self._promises = promises
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)  # row -> test -> passed, failed, skipped
        self.figures: dict[str, list[str]] = defaultdict(list)
        self.seconds: dict[str, float] = defaultdict(float)

    def rows_of(self, test: str) -> list[str]:
        return [p.row for p in self._promises if any(test.startswith(address) for address in p.evidence)]

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        kept = [item for item in items if self.rows_of(item.nodeid)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for row in self.rows_of(report.nodeid):
            self.seconds[row] += report.duration
            if report.when == "call" or report.outcome != "passed":
                self.outcomes[row][report.nodeid] = report.outcome
            if report.when == "call":
                self.figures[row] += [str(value) for name, value in report.user_properties if name == "figure"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="such as S4; all when none is given")
    parser.add_argument("--scale", type=float, default=0.1, help="of the campaigns (default %(default)s)")
    options = parser.parse_args()
    chosen = tuple(p for p in PROMISES if not options.rows or p.row in options.rows)
    os.environ["TRUST_SCALE"] = str(options.scale)
    collector = Collector(chosen)
    began = time.monotonic()
    there = [path for path in files_of(chosen) if Path(path).exists()]
    if there:
        # What a failed test leaves open is its failure already, and must not cost the table.
        calm = "ignore::pytest.PytestUnraisableExceptionWarning"
        pytest.main(["-q", "--no-header", "-W", calm, *there], plugins=[collector])
    verdicts = [show(promise, collector) for promise in chosen]
    print(f"\n{verdicts.count('holds')} of {len(chosen)} hold, at scale {options.scale:g}, "
          f"in {(time.monotonic() - began) / 60:.0f} minutes")  # fmt: skip
    return int("FAILS" in verdicts)


def show(promise: Promise, collector: Collector) -> str:
    """Print a row of the table; -> the verdict."""
    outcomes = list(collector.outcomes[promise.row].values())
    passed, failed, skipped = (outcomes.count(outcome) for outcome in ("passed", "failed", "skipped"))
    missing = [a for a in promise.evidence if not any(test.startswith(a) for test in collector.outcomes[promise.row])]
    verdict = "FAILS" if failed or missing else "holds" if passed else "not shown"
    counted = f"{passed} tests in {collector.seconds[promise.row]:.0f} s"
    counted += f", {failed} failed" * bool(failed) + f", {skipped} skipped" * bool(skipped)
    said = [*collector.figures[promise.row], *([promise.unshown] if promise.unshown else [counted])]
    said += [f"no such test: {address}" for address in missing]
    words = textwrap.wrap(promise.words, WIDTHS[1])
    figures = [line for part in said for line in textwrap.wrap(part, WIDTHS[2])]
    for n in range(max(len(words), len(figures))):
        left = [
            promise.row if n == 0 else "",
            words[n] if n < len(words) else "",
            figures[n] if n < len(figures) else "",
        ]
        columns = "  ".join(f"{text:{width}}" for text, width in zip(left, WIDTHS, strict=True))
        print(f"{columns}  {verdict if n == 0 else ''}".rstrip(), flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
