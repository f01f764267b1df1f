"""The bench of measures: numbers of every block, hubs that can be asked about, and a tour of good questions."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser


def ready(page, block: str = "mixed_4f") -> None:
    page.wait_for_selector(f'[data-ready="{block}"]', timeout=20_000)
    page.wait_for_timeout(150)


def measured(page, server, clip_id, query: str = "") -> None:
    """The page with its bench open and all five blocks measured."""
    page.goto(f"{server.address}/clips/{clip_id}{query}")
    ready(page)
    page.locator("#tab-measures").click()
    page.locator(".time-chart").nth(4).wait_for(timeout=60_000)


@pytest.fixture
def bench(page, server, sample_id):
    measured(page, server, sample_id)
    return page


def cells_of(url: str) -> str:
    return re.search(r"q=([\d.,]+)", url).group(1)


def test_every_block_has_its_numbers_and_its_chart_says_them_in_words(bench, server, sample_id):
    told = server.http.get(f"/api/v1/clips/{sample_id}/blocks/mixed_4f/measures").json()

    row = bench.locator(".measures tbody tr").nth(4)
    dependence, outside, entropy, _ = row.locator("strong").all_inner_texts()
    assert (dependence, entropy) == (f"{told['dependence']:.2f}", f"{told['entropy']:.2f}")
    assert outside == f"{100 * told['outside']:.0f} %"
    words = row.locator(".time-chart").get_attribute("aria-label")
    earlier = sum(step["mass"] for step in told["by_time"] if step["steps"] < 0)
    assert f"{100 * earlier:.0f} % earlier" in words
    assert row.get_attribute("aria-current") == "true"


def test_a_hub_asks_who_looks_at_it(bench, server, sample_id):
    hub = server.http.get(f"/api/v1/clips/{sample_id}/blocks/mixed_4b/measures").json()["hubs"][1]["place"]["cell"]

    bench.get_by_role("button", name="Hub 2 of mixed_4b").click()
    ready(bench, "mixed_4b")

    assert "dir=reverse" in bench.url
    assert cells_of(bench.url) == f"{hub['t']}.{hub['h']}.{hub['w']}"


def test_the_tour_asks_one_good_question_after_the_other_and_shows_where_they_start_and_end(bench, server, sample_id):
    stops = server.http.get(f"/api/v1/clips/{sample_id}/tour", params={"block": "mixed_4f"}).json()["stops"]
    expected = [".".join(str(stop["place"]["cell"][axis]) for axis in "thw") for stop in stops]

    bench.get_by_role("button", name="Show me good questions").click()
    bench.locator(".tour-bar").wait_for()
    for n, cells in enumerate(expected[:3]):
        bench.wait_for_timeout(250)
        assert cells_of(bench.url) == cells
        assert f"Question {n + 1} of {len(stops)}" in bench.locator(".tour-words").inner_text()
        shown = {item["frame"] for item in bench.evaluate("window.lens.drawList()") if item["kind"] == "frame"}
        for place in ("place", "end"):
            first, last = stops[n][place]["frames"]
            assert shown & set(range(first, last + 1))
        bench.keyboard.press("Enter")  # the focus is on "next"
    bench.get_by_role("button", name="Previous question").click()
    bench.wait_for_timeout(250)
    assert cells_of(bench.url) == expected[2]

    bench.keyboard.press("Escape")
    assert not bench.locator(".tour-bar").is_visible()
    assert cells_of(bench.url) == expected[2]  # the question stays


def test_the_bench_fits_a_phone(chromium, server, sample_id):
    page = chromium.new_page(viewport={"width": 375, "height": 800})
    measured(page, server, sample_id)
    page.locator(".tour-start").click()
    page.locator(".tour-bar").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    box = page.locator(".tour-bar").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert page.locator(".measures-box").evaluate("box => box.scrollWidth <= box.clientWidth")
    page.close()
