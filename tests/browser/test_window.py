"""The strip of the whole video in a real Chromium: the crop on the original, another window by drag, key and number."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

API = "/api/v1/clips"


def ready(page) -> None:
    page.wait_for_selector("[data-ready]:not([data-ready=''])", timeout=60_000)
    page.wait_for_selector(".window:not([aria-busy])", timeout=30_000)
    page.wait_for_timeout(200)


@pytest.fixture
def clean(server):
    """The shared server; windows that a test made are removed."""
    before = {clip["id"] for clip in server.http.get(API).json()["clips"]}
    yield server
    for clip in server.http.get(API).json()["clips"]:
        if clip["id"] not in before:
            server.http.delete(f"{API}/{clip['id']}")


@pytest.fixture
def strip(page, clean, sample_id):
    """A sample's page, its strip filled."""
    page.goto(f"{clean.address}/clips/{sample_id}")
    ready(page)
    return page


def start(page) -> float:
    return float(page.locator("#window-start").input_value())


# The mean brightness of a spot of a picture: at shares of it, `wide` pixels wide.
MEAN = """(picture, wide, x) => {
  const canvas = Object.assign(document.createElement('canvas'), {width: picture.width, height: picture.height});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(picture, 0, 0);
  const {data} = context.getImageData(wide * x, picture.height / 2, 6, 6);
  return data.reduce((sum, value, n) => sum + (n % 4 < 3 ? value : 0), 0) / (36 * 3);
}"""


def test_dragging_the_window_chooses_a_start_and_the_button_names_it(strip):
    frame = strip.locator(".window-frame").bounding_box()
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    strip.mouse.move(*middle)
    strip.mouse.down()
    strip.mouse.move(middle[0] + 80, middle[1], steps=4)
    strip.mouse.up()

    whole = strip.locator(".window-strip").bounding_box()["width"]
    assert start(strip) == pytest.approx(80 / whole * 96 / 25, abs=0.04)
    assert strip.locator(".window-choice button").inner_text() == f"Analyse from {start(strip):.2f} s"
    moved = strip.locator(".window-frame").bounding_box()
    assert moved["x"] - frame["x"] == pytest.approx(80, abs=whole / 96)
    assert moved["width"] == pytest.approx(63 / 96 * whole, abs=2)


def test_the_window_is_a_slider_for_keys_and_tells_its_times(strip):
    slider = strip.get_by_role("slider", name="Start of the window")
    cursor = strip.evaluate("window.lens.state().cursor")
    slider.focus()
    strip.keyboard.press("Shift+ArrowRight")
    strip.keyboard.press("ArrowLeft")

    assert slider.get_attribute("aria-valuetext") == "0.88 s to 3.36 s of 3.84 s"
    assert start(strip) == 0.88
    strip.keyboard.press("End")
    assert slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax") == "1.32"
    assert strip.evaluate("window.lens.state().cursor") == cursor


def test_a_number_chooses_and_what_does_not_fit_is_brought_within_the_video(strip):
    number = strip.get_by_label("Window from")
    number.fill("0.4")
    number.press("Tab")
    assert strip.locator(".window-choice button").inner_text() == "Analyse from 0.40 s"

    strip.evaluate("document.querySelector('.window-choice').noValidate = true")
    for wrong, right in (("99", 1.32), ("", 0)):
        number.fill(wrong)
        number.press("Tab")
        assert start(strip) == right


def test_another_window_is_analysed_with_the_question_carried_and_each_leads_to_the_other(strip, sample_id):
    strip.keyboard.press("Escape")
    box = strip.locator(".stage").bounding_box()
    strip.mouse.click(box["x"] + 0.12 * box["width"], box["y"] + 0.5 * box["height"])
    strip.wait_for_timeout(400)
    question = strip.url.split("?")[1]
    strip.get_by_label("Window from").fill("0.8")
    strip.get_by_label("Window from").press("Tab")
    strip.get_by_role("button", name="Analyse from 0.80 s").click()
    strip.wait_for_url(lambda url: "/clips/" in url and sample_id not in url, timeout=60_000)
    ready(strip)

    assert strip.url.split("?")[1] == question
    assert start(strip) == 0.8
    assert "32 frames from 0.80 to 3.28 s" in strip.locator(".clip-facts").inner_text()
    strip.get_by_label("Window from").fill("0")
    strip.get_by_label("Window from").press("Tab")
    assert strip.locator(".window-choice button").inner_text() == "Open from 0.00 s"

    strip.locator(".window-others a", has_text="0.00 s").click()
    strip.wait_for_url(re.compile(sample_id))
    ready(strip)
    assert strip.url.split("?")[1] == question


def test_what_the_network_does_not_see_is_darkened_on_the_original(strip, clean, sample_id):
    got = clean.http.get(f"{API}/{sample_id}/overview").json()
    left, _, right, _ = got["crop"]
    shown, original = strip.evaluate(
        f"""async ({{url, width_px, height_px}}) => {{
          const mean = {MEAN};
          const sheet = new Image(); sheet.src = url; await sheet.decode();
          const first = await createImageBitmap(sheet, 0, 0, width_px, height_px);
          const strip = document.querySelector('.window-pictures');
          const slot = strip.width / Math.round(strip.clientWidth / (56 * width_px / height_px));
          return [[0.05, 0.5].map((x) => mean(strip, slot, x)), [0.05, 0.5].map((x) => mean(first, width_px, x))];
        }}""",
        got,
    )

    assert left > 0.1
    assert right < 0.9
    assert shown[0] < 0.75 * original[0]
    assert shown[1] > 0.75 * original[1]


@pytest.mark.parametrize("width", [375, 1280])
def test_the_strip_fits_and_is_full_of_pictures(chromium, clean, sample_id, width):
    context = chromium.new_context(viewport={"width": width, "height": 900}, has_touch=width == 375)
    page = context.new_page()
    page.goto(f"{clean.address}/clips/{sample_id}")
    ready(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    strip, canvas = page.locator(".window-strip").bounding_box(), page.locator(".window-pictures").bounding_box()
    assert canvas["width"] == pytest.approx(strip["width"], abs=1)
    assert 36 <= canvas["height"] <= 70
    context.close()


def test_a_video_without_a_strip_still_has_its_lens(chromium, clean, sample_id):
    context = chromium.new_context()  # not `page`: Chromium itself complains of the 404
    page = context.new_page()
    answer = {"error": {"code": "NoOverview", "message": "there is no overview", "details": {}}}
    page.route("**/overview", lambda route: route.fulfill(status=404, json=answer))
    page.goto(f"{clean.address}/clips/{sample_id}")
    page.wait_for_selector("[data-ready]:not([data-ready=''])", timeout=60_000)

    page.wait_for_selector(".window", state="hidden")
    assert page.locator(".notices").inner_text() == ""
    context.close()
