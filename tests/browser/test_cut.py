"""The bench "Cut and compare" in a real Chromium: what goes with an arrow, and the clip's null models."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def bench(page, server, sample_id):
    """The bench, open, with a question to mixed_4f pinned."""
    page.goto(f"{server.address}/clips/{sample_id}")
    page.wait_for_selector('[data-ready="mixed_4f"]', timeout=60_000)
    page.click("#tab-cut")
    page.wait_for_selector(".null-models li")
    yield page
    for clip in server.http.get("/api/v1/clips").json()["clips"]:
        if clip["variant"] != "none":
            server.http.delete(f"/api/v1/clips/{clip['id']}")


def run_without(page, what: str, whom: str) -> str:
    """Choose, run, and wait for one more table; its text."""
    there = page.locator(".cut-result").count()
    page.check(f"input[value={what}]")
    page.check(f"input[value={whom}]")
    page.click(".cut-form button[type=submit]")
    page.locator(".cut-result").nth(there).wait_for(timeout=60_000)
    return page.locator(".cut-result").first.inner_text()


def test_the_top_5_before_and_after_stand_side_by_side_with_their_change(bench, server, sample_id):
    text = run_without(bench, "block", "everywhere")

    assert text.startswith("Without mixed_4f as a whole, for every place")
    top = server.http.get(f"/api/v1/clips/{sample_id}/predictions").json()["predictions"][0]
    row = bench.locator(".cut-result tbody tr").first.inner_text()
    assert row.startswith(top["label"])
    assert f"{100 * top['probability']:.2f} %" in row
    assert re.search(r"[+−]\d+\.\d\d", row)

    assert "20 keys, for one place" in run_without(bench, "top", "place")
    assert "20 keys drawn at random, for every place" in run_without(bench, "random", "everywhere")
    assert bench.locator(".cut-result").count() == 3


def test_the_rank_names_the_arrow_that_is_cut(bench):
    bench.fill("input[aria-label='Rank of the arrow']", "3")

    assert bench.locator(".cut-wish").inner_text() == "mixed_4f: one key, for one place."
    bench.fill("input[aria-label='Rank of the arrow']", "99")
    assert bench.locator(".cut-form button").is_disabled()


def test_a_null_model_is_made_here_and_opens_with_the_same_question(bench, server, sample_id):
    bench.click("button[aria-label='Analyse: Frames reversed']")
    bench.locator("a[aria-label='Open: Frames reversed']").wait_for(timeout=90_000)
    asked = bench.url.partition("?")[2]

    bench.click("a[aria-label='Open: Frames reversed']")
    bench.wait_for_selector('[data-ready="mixed_4f"]', timeout=60_000)

    assert sample_id not in bench.url
    assert bench.url.partition("?")[2] == asked
    assert bench.locator(".chip[aria-current]").inner_text() == "default, reversed"
    assert "the network saw the frames in reverse" in bench.locator(".clip-facts").inner_text()
    bench.goto(server.address)
    bench.wait_for_selector(".card")
    assert bench.locator(".card").count() == 3


def test_a_null_model_stands_side_by_side_with_the_same_question(bench):
    names = ["Frames shuffled", "Frames reversed", "Frozen", "Random weights"]
    assert bench.locator(".null-models strong").all_inner_texts() == names
    bench.click("button[aria-label='Analyse: Frozen']")
    bench.locator("button[aria-label='Side by side: Frozen']").click(timeout=90_000)

    bench.locator("#pane-other-words", has_text="Strongest").wait_for(timeout=30_000)
    assert "frozen" in bench.locator("#beside-clip option:checked").inner_text()
    assert re.search(r"beside=\w+\.mixed_4f", bench.url)


def test_a_cut_can_be_cancelled(bench):
    bench.check("input[value=arrow]")
    bench.click(".cut-form button[type=submit]")
    bench.click(".cut-form button:has-text('Cancel')")

    bench.wait_for_selector(".cut-state:has-text('Cancelled.')")
    assert bench.locator(".cut-form button").count() == 1
    assert bench.evaluate("document.activeElement.type") == "submit"
    assert bench.locator(".cut-result").count() == 0


@pytest.mark.parametrize("width", [375, 1280])
def test_the_bench_is_not_wider_than_the_window(bench, width):
    bench.set_viewport_size({"width": width, "height": 900})
    run_without(bench, "other_frames", "everywhere")
    bench.wait_for_timeout(300)

    assert bench.evaluate("document.documentElement.scrollWidth") <= width
