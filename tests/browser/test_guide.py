"""The way that docs/guide.md goes, walked in Chromium; with NONLOCAL_LENS_GUIDE set it renews the guide's pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_lens import point_at, ready

pytestmark = pytest.mark.browser
DOCS = Path(__file__).parents[2] / "docs"
QUESTION = "block=mixed_4c&q=4.6.6"


def bench(name: str, wait: str) -> Callable:
    def steps(page) -> None:
        page.locator(f"#tab-{name}").click()
        page.wait_for_selector(f"#bench-{name} {wait}", timeout=30_000)
        page.wait_for_timeout(1500)

    return steps


def cut(page) -> None:
    bench("cut", "button:visible")(page)
    page.get_by_label("the whole block").check()
    page.get_by_role("button", name="Run without").click()
    page.wait_for_selector("#bench-cut table:visible", timeout=60_000)


def region(page) -> None:
    page.locator(".how summary").click()
    page.wait_for_timeout(400)


STEPS: dict[str, tuple[str, Callable, str]] = {  # picture: the question, what is done, what is shown
    "arrows": (QUESTION, lambda page: point_at(page, 0.6, 0.6), "html"),
    "window": (QUESTION, lambda page: page.wait_for_selector(".window canvas:visible"), ".window"),
    "region": ("block=mixed_4c&q=4.5.5-4.8.8&near=1.4&when=others", region, ".lens"),
    "ladder": (QUESTION, bench("ladder", "canvas"), "#bench-ladder"),
    "measures": (QUESTION, bench("measures", "tbody tr:last-child canvas"), "#bench-measures"),
    "steps": (QUESTION, bench("steps", "canvas, svg"), "#bench-steps"),
    "beside": (f"{QUESTION}&beside=mixed_4f", lambda page: page.wait_for_timeout(2500), "#bench-beside"),
    "cut": (QUESTION, cut, "#bench-cut"),
    "take": (QUESTION, bench("take", "textarea"), "#bench-take"),
}


def test_the_guide_shows_every_step_and_no_other():
    named = re.findall(r"guide/(\w+)\.jpg", (DOCS / "guide.md").read_text(encoding="utf-8"))

    assert named == list(STEPS)
    for name in named:
        with Image.open(DOCS / "guide" / f"{name}.jpg") as picture:
            assert picture.width > 600


@pytest.mark.parametrize("name", STEPS)
def test_each_step_can_be_walked(page, server, sample_id, tmp_path, name):
    question, steps, shown = STEPS[name]
    page.goto(f"{server.url}/clips/{sample_id}?{question}")
    ready(page, "mixed_4c")
    steps(page)
    folder = DOCS / "guide" if os.environ.get("NONLOCAL_LENS_GUIDE") else tmp_path

    picture = {"path": folder / f"{name}.jpg", "type": "jpeg", "quality": 72}
    page.screenshot(**picture) if shown == "html" else page.locator(shown).screenshot(**picture)

    with Image.open(folder / f"{name}.jpg") as found, Image.open(DOCS / "guide" / f"{name}.jpg") as told:
        assert found.width == told.width
        assert found.height == pytest.approx(told.height, rel=0.15)  # the guide shows what is there
        alike = [np.asarray(one.convert("L").resize((60, 40)), float) for one in (found, told)]
        assert np.corrcoef(alike[0].ravel(), alike[1].ravel())[0, 1] > 0.9
