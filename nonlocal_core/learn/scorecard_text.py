"""The scorecard as text, at most 120 columns wide: blocks in rows, models and baselines beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nonlocal_core.learn.occlusion import Occlusion, Share
from nonlocal_core.learn.score import Score
from nonlocal_core.learn.scorecard import BlockCard, Card
from nonlocal_core.learn.views import View

_BESIDE = 5  # models and baselines in one table; more go on below
_STEPS = 13  # columns of time differences; what is further away is summed in the last

_TITLES: dict[View, str] = {"crop": "middle square", "whole": "whole frame"}


def format_scorecard(card: Card, occlusions: Mapping[str, Occlusion] | None = None) -> str:
    """Everything, for people."""
    parts = [table for view, methods in card.items() for table in (*_arrow_tables(view, methods), _row_table(methods))]
    parts += [_occlusion_table(name, found) for name, found in (occlusions or {}).items()]
    return "\n\n".join(parts)


def _arrow_tables(view: View, methods: Mapping[str, Mapping[str, BlockCard]]) -> Iterator[str]:
    """Hit shares of up to five models and baselines to a table."""
    names = list(methods)
    first = methods[names[0]]
    yield (
        f"Arrows, {_TITLES[view]}: share of the top 20 in other frames that lands on the object (times chance), "
        f"share of the affinity\n{_arrow_table(methods, names[:_BESIDE], first)}"
    )
    for start in range(_BESIDE, len(names), _BESIDE):
        yield _arrow_table(methods, names[start : start + _BESIDE], first)


def _arrow_table(
    methods: Mapping[str, Mapping[str, BlockCard]], names: list[str], first: Mapping[str, BlockCard]
) -> str:
    lines = [f"{'block':<10}{'queries':>8}{'chance':>7}" + "".join(f"{_short(name, 18):>19}" for name in names)]
    blocks = list(dict.fromkeys(block for name in names for block in methods[name]))
    for block in blocks:
        cells = [_hit(methods[name].get(block)) for name in names]
        of = (first.get(block) or next(methods[name][block] for name in names if block in methods[name])).arrows
        lines.append(f"{block:<10}{of.queries:>8}{of.chance:>7.3f}" + "".join(f"{cell:>19}" for cell in cells))
    return "\n".join(lines)


def _hit(found: BlockCard | None) -> str:
    if found is None or not found.arrows.queries:
        return "-"
    score: Score = found.arrows
    return f"{score.hit:.3f} ({score.lift:.1f}x) {score.mass:.2f}"


def _row_table(methods: Mapping[str, Mapping[str, BlockCard]]) -> str:
    """What rows are like: a line for each block of each model and baseline, and one for even weights on each grid."""
    cards = {(name, block): found for name, blocks in methods.items() for block, found in blocks.items()}
    steps = max(len(found.rows.by_step) for found in cards.values())
    heads = [*map(str, range(min(steps, _STEPS) - 1)), f"{steps - 1}" if steps <= _STEPS else f"{_STEPS - 1}+"]
    lines = [
        "Rows: entropy (1 = even), distance of two rows (0 = all alike, 1 = disjoint), their top 20 in common,",
        "and percent of the affinity at each time difference, in time steps",
        f"{'':<16}{'block':<10}{'entropy':>8}{'distance':>9}{'common':>8}" + "".join(f"{head:>5}" for head in heads),
    ]
    for (name, block), found in cards.items():
        rows = found.rows
        measured = f"{found.arrows.entropy:>8.2f}{rows.distance:>9.2f}{rows.overlap:>8.2f}"
        lines.append(f"{_short(name, 15):<16}{block:<10}{measured}{_percents(rows.by_step)}")
    evenly = {found.rows.evenly: block for (_, block), found in reversed(cards.items())}
    lines += [
        f"{'even weights':<16}{block:<10}{1:>8.2f}{0:>9.2f}{'':>8}{_percents(even)}"
        for even, block in reversed(evenly.items())
    ]
    return "\n".join(lines)


def _percents(by_step: tuple[float, ...]) -> str:
    """At each time difference; from the last column on in one."""
    near, far = by_step[: _STEPS - 1], by_step[_STEPS - 1 :]
    return "".join(f"{100 * share:>5.0f}" for share in (*near, *([sum(far)] if far else [])))


def _occlusion_table(name: str, found: Occlusion) -> str:
    lines = [
        f"Hidden cells, {_short(name, 18)}: share of {found.clips} clips that keep the class of the network without "
        "blocks that sees all",
        f"{'hidden':<10}{'boxes':<12}{'with blocks':>20}{'without blocks':>20}{'gain, points':>20}",
        f"{'nothing':<10}{'':<12}{_percent(found.clean):>20}{'100 %':>20}",
    ]
    lines += [
        f"{100 * each.share:<3.0f}%      {each.box:<12}{_percent(each.with_blocks):>20}"
        f"{_percent(each.without_blocks):>20}{100 * each.gain.mean:>+12.1f} ± {100 * each.gain.error:.1f}"
        for each in found.hidden
    ]
    lines += [f"{len(found.broken)} could not be read, such as {_short(found.broken[0], 80)}"] if found.broken else []
    return "\n".join(lines)


def _percent(share: Share) -> str:
    return f"{100 * share.mean:.1f} ± {100 * share.error:.1f} %"


def _short(name: str, width: int) -> str:
    """The end of a name that is too long: of a path that is what tells files apart."""
    return name if len(name) <= width else f"…{name[-width + 1 :]}"
