"""One video and two networks in a real Chromium: choose one for the upload, switch to the other, find both."""

from __future__ import annotations

import json
import re

import pytest

from nonlocal_core.cli import main
from tests.server import LensServer

pytestmark = pytest.mark.browser


def ready(page, block: str = "mixed_4f") -> None:
    page.wait_for_selector(f'[data-ready="{block}"]', timeout=60_000)
    page.wait_for_timeout(150)


def ask(page, x: float, y: float) -> None:
    """Click at fractions of the stage, with no other question about."""
    page.keyboard.press("Escape")
    box = page.locator(".stage").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.move(5, 5)
    page.wait_for_timeout(400)


def rows(page) -> list[str]:
    return page.locator(".answers-table tbody tr").all_inner_texts()


@pytest.fixture
def video(sample, tmp_path):
    """The sample with other bytes, so that it is a clip of this test's own."""
    path = tmp_path / "mine.mp4"
    path.write_bytes(sample.read_bytes() + b"\0" * 24)
    return path


@pytest.fixture
def clean(two_models_server):
    """The server; what a test leaves there is removed."""
    yield two_models_server
    for clip in two_models_server.http.get("/api/v1/clips").json()["clips"]:
        if clip["filename"] == "mine.mp4":
            two_models_server.http.delete(f"/api/v1/clips/{clip['id']}")


def test_switching_networks_on_one_video_keeps_the_question(page, clean, video):
    page.goto(clean.url)
    page.set_input_files("#file", video)
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)
    ask(page, 0.12, 0.5)
    first, question = page.url.split("?")
    assert "block=mixed_4f" in question
    assert page.locator(".chip[aria-current]").inner_text() == "default"
    answers = rows(page)
    assert len(answers) == 20

    page.get_by_role("button", name="Analyse with late-blocks").click()
    page.wait_for_url(lambda url: "/clips/" in url and not url.startswith(first), timeout=60_000)
    ready(page)
    assert page.locator(".chip[aria-current]").inner_text() == "late-blocks"
    assert page.locator(".rail label").count() == 2
    assert page.url.split("?")[1] == question
    assert len(rows(page)) == 20
    ask(page, 0.12, 0.3)
    assert len(rows(page)) == 20

    page.locator(".chip", has_text="default").click()
    page.wait_for_url(lambda url: url.startswith(first))
    ready(page)
    assert page.locator(".rail label").count() == 5


def test_the_card_tells_what_the_network_is_and_that_it_learnt_nothing(page, clean, video):
    page.goto(clean.url)
    page.select_option(".drop-model select", "late-blocks")
    page.set_input_files("#file", video)
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)

    card = page.locator(".network").inner_text()
    assert "learnt nothing" in card
    assert "this test" in card
    assert "Made for a test." in card
    assert re.search(r"mixed_4e\s+8 × 14 × 14\s+8 × 7 × 7", card)
    assert page.locator(".predicted .badge").inner_text() == "random weights"


def test_the_gallery_names_the_network_and_puts_one_video_s_clips_together(page, clean, video, sample):
    first = clean.upload(video).json()["id"]
    clean.finish(clean.upload(sample, start_s="0.75", filename="mine.mp4").json()["id"])
    clean.finish(clean.http.post(f"/api/v1/clips/{first}/again", params={"model": "late-blocks"}).json()["id"])
    clean.finish(first)
    page.goto(clean.url)
    page.wait_for_selector(".card-model")

    models = page.locator(".card", has_text="mine.mp4").locator(".card-model").all_inner_texts()
    assert models == ["late-blocks, random weights", "default", "default"]
    links = [card.get_attribute("href") for card in page.locator(".card", has_text="mine.mp4").all()]
    assert links[1] == f"/clips/{first}"


def test_without_javascript_the_button_asks_the_other_network_too(chromium, clean, video):
    clip_id = clean.upload(video).json()["id"]
    clean.finish(clip_id)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{clean.url}/clips/{clip_id}")

    page.get_by_role("button", name="Analyse with late-blocks").click()
    page.wait_for_url(lambda url: "/clips/" in url and not url.endswith(clip_id))
    assert page.locator(".chip[aria-current]").inner_text() == "late-blocks"
    context.close()
    clean.finish(page.url.rsplit("/", 1)[1])


@pytest.mark.parametrize("width", [375, 1280])
def test_with_two_networks_nothing_is_wider_than_the_window(chromium, clean, video, width):
    clip_id = clean.upload(video).json()["id"]
    clean.finish(clip_id)
    page = chromium.new_page(viewport={"width": width, "height": 900})
    for path in ("/", f"/clips/{clip_id}"):
        page.goto(clean.url + path)
        page.wait_for_timeout(800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture
def oracle_server(desk, tmp_path):  # noqa: ARG001  # the oracles are on the desk
    """A server of the default model and of an oracle's checkpoint, converted as a person would."""
    from scripts.oracle_table import regenerate

    published = regenerate("slowfast_i3d_nln_8x8_r50", "pyslowfast_pyth", tmp_path)
    target = tmp_path / "slowfast-oracle.safetensors"
    assert main(["convert", str(published), str(target), "--random-weights"]) == 0
    published.unlink()
    models = json.dumps(["default", str(target)])
    server = LensServer(tmp_path / "data", models=models, samples="false").start()
    yield server
    assert server.stop() == 0


def test_a_converted_published_checkpoint_answers_clicks_beside_the_default_model(page, oracle_server, video):
    clip_id = oracle_server.upload(video).json()["id"]
    oracle_server.finish(clip_id)
    page.goto(f"{oracle_server.url}/clips/{clip_id}")
    page.get_by_role("button", name="Analyse with slowfast-oracle").click()
    page.wait_for_url(lambda url: "/clips/" in url and clip_id not in url, timeout=60_000)
    ready(page, "res4_5")

    ask(page, 0.12, 0.5)
    assert len(rows(page)) == 20
    assert page.locator(".rail label").count() == 5
    assert page.locator(".predicted .badge").inner_text() == "random weights"
    card = page.locator(".network").inner_text()
    assert re.search(r"res4_5\s+4 × 14 × 14\s+4 × 7 × 7", card)
    assert "SlowFast" in card
    assert "embedded Gaussian" in card

    page.locator(".chip", has_text="default").click()
    page.wait_for_url(re.compile(clip_id))
    ready(page)
