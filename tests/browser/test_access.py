"""For everybody: axe-core finds no serious fault on any part of the page; keys alone lead from a file to a figure."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.test_lens import ranks, ready

pytestmark = pytest.mark.browser

FILLED = {  # what stands in each bench once it is open
    "ladder": ".rungs canvas",
    "measures": ".measures tbody tr",
    "steps": ".steps-cards li",
    "beside": ".pane-other canvas",
    "cut": ".null-models li",
    "take": "a[data-figure=svg][href]",
}
ASKED = "block=mixed_4c&q=4.6.6,2.3.3-2.4.5&heat=1"
SEVERE = ("serious", "critical")


def faults(page, part: str = "body") -> list[str]:
    """What axe holds against a part of the page as it stands, at the end of all transitions."""
    page.wait_for_timeout(200)
    found = Axe().run(page, context=part).response["violations"]
    return [f"{one['id']} {node['target']}" for one in found if one["impact"] in SEVERE for node in one["nodes"]]


@pytest.fixture(params=[(scheme, width) for scheme in ("light", "dark") for width in (1280, 375)], ids=str)
def look(request, chromium):
    """A page in light or dark, on a desk or a phone."""
    scheme, width = request.param
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield context.new_page()
    context.close()


def test_axe_finds_nothing_serious_in_the_gallery(look, server):
    look.goto(server.url)
    look.wait_for_selector(".cards li")

    assert faults(look) == []


def test_axe_finds_nothing_serious_on_the_clip_page(look, server, sample_id):
    look.goto(f"{server.url}/clips/{sample_id}?{ASKED}")
    ready(look, "mixed_4c")
    look.wait_for_selector(".window:not([aria-busy])")
    found = {"strip": faults(look)}
    look.locator(".how summary").click()
    found["how to ask"] = faults(look, ".how")
    for name in FILLED:
        look.locator(f"#tab-{name}").click()
        look.wait_for_selector(f"#bench-{name} {FILLED[name]}")
        found[name] = faults(look, ".benches")
    look.get_by_text("Player", exact=True).click()
    found["player"] = faults(look, ".board")
    look.keyboard.press("?")
    found["keys"] = faults(look, "dialog.keys")

    assert {part: list_ for part, list_ in found.items() if list_} == {}


def tab_to(page, selector: str, most: int = 80) -> None:
    """Press Tab until the focus is there."""
    for _ in range(most):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} was not reached by Tab")


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(300)


def test_keys_alone_lead_from_the_upload_to_the_figure(page, server, sample, tmp_path):
    video = tmp_path / "by-keys.mp4"
    video.write_bytes(sample.read_bytes() + b"\0" * 32)  # other bytes, so another clip
    page.goto(server.url)
    tab_to(page, "#file")
    page.set_input_files("#file", video)  # the system's own dialog, which Playwright answers
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)

    tab_to(page, ".stage")
    press(page, "Escape", "ArrowRight", "ArrowDown", ".", "Enter")
    assert "q=" in page.url
    press(page, "[")
    ready(page, "mixed_4e")
    assert ranks(page) == 20
    tab_to(page, ".bench-tabs [role=tab]")
    press(page, *["ArrowRight"] * list(FILLED).index("take"), "Enter")
    tab_to(page, "a[data-figure=svg][href]")

    with page.expect_download() as download:
        page.keyboard.press("Enter")
    figure = server.http.get(page.evaluate("document.activeElement.href"))
    assert figure.text.startswith("<svg") or figure.text.startswith("<?xml")
    assert "mixed_4e" in figure.text
    assert download.value.path().read_bytes()[:200] == figure.content[:200]
    server.http.delete(f"/api/v1/clips/{page.url.split('/clips/')[1][:24]}")
