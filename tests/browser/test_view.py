"""Zoom, pan, boxes, palettes and the six cards in a real Chromium: mouse, keyboard, two fingers, two pixels to one."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser


def ready(page) -> None:
    page.wait_for_selector('[data-ready="mixed_4f"]', timeout=20_000)
    page.wait_for_timeout(200)


def items(page, kind: str) -> list[dict]:
    return [item for item in page.evaluate("window.lens.drawList()") if item["kind"] == kind]


def first_size(page) -> float:
    return items(page, "frame")[0]["size"]


def on_stage(page, x: float, y: float) -> tuple[float, float]:
    """Pixels on the page for pixels on the stage."""
    box = page.locator(".stage").bounding_box()
    return box["x"] + x, box["y"] + y


def zoom_with_wheel(page, x: float, y: float, notches: int) -> None:
    page.mouse.move(*on_stage(page, x, y))
    page.keyboard.down("Control")
    for _ in range(abs(notches)):
        page.mouse.wheel(0, -120 if notches > 0 else 120)
        page.wait_for_timeout(60)
    page.keyboard.up("Control")
    page.wait_for_timeout(150)


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*on_stage(page, *start))
    page.mouse.down()
    page.mouse.move(*on_stage(page, *end), steps=6)
    page.mouse.up()
    page.wait_for_timeout(200)


def pinned_at(page, x: float, y: float) -> str:
    """Click on the stage and say what the link then asks."""
    page.mouse.click(*on_stage(page, x, y))
    page.wait_for_timeout(250)
    return re.search(r"q=([^&]*)", page.url).group(1)


def tail_of(page) -> dict:
    return next(item["box"] for item in items(page, "cell") if item["role"] == "tail")


@pytest.fixture
def lens(page, server, sample_id):
    """The clip page of a sample with nothing asked."""
    page.goto(f"{server.address}/clips/{sample_id}?q=")
    ready(page)
    return page


def test_the_wheel_with_ctrl_zooms_and_a_click_pins_what_is_under_the_pointer(lens):
    whole = first_size(lens)
    zoom_with_wheel(lens, 150, 100, 3)
    assert first_size(lens) > 2 * whole

    pinned_at(lens, 150, 100)
    box = tail_of(lens)
    assert box["x"] <= 150 <= box["x"] + box["width"]
    assert box["y"] <= 100 <= box["y"] + box["height"]
    assert box["width"] > 2 * whole / 14


def test_a_drag_pans_while_zoomed_and_is_no_click(lens):
    zoom_with_wheel(lens, 300, 100, 4)
    before, url = items(lens, "frame")[0], lens.url
    drag(lens, (500, 150), (380, 110))

    after = items(lens, "frame")[0]
    assert (round(after["x"] - before["x"]), round(after["y"] - before["y"])) == (-120, -40)
    assert lens.url == url


def test_without_zoom_a_drag_moves_nothing(lens):
    before = items(lens, "frame")
    drag(lens, (100, 50), (200, 150))
    assert items(lens, "frame") == before


def test_keys_and_buttons_zoom_and_the_other_view_starts_whole(lens):
    whole = first_size(lens)
    lens.keyboard.press("+")
    lens.wait_for_timeout(150)
    assert first_size(lens) == pytest.approx(1.5 * whole)
    lens.get_by_role("button", name="Zoom in").click()
    assert lens.locator(".zoom-now").inner_text() == "225 %"
    lens.keyboard.press("0")
    lens.wait_for_timeout(150)
    assert first_size(lens) == whole

    lens.keyboard.press("+")
    lens.get_by_text("Player", exact=True).click()
    lens.wait_for_timeout(200)
    assert lens.locator(".zoom-now").inner_text() == "100 %"
    assert lens.locator(".zoom-now").is_disabled()


def test_the_zoom_is_not_in_the_link_and_captions_stay_in_sight(lens):
    url = lens.url
    zoom_with_wheel(lens, 150, 100, 5)
    lens.mouse.move(5, 5)
    lens.wait_for_timeout(300)

    assert lens.url == url
    height = lens.locator(".stage").bounding_box()["height"]
    seen = [caption for caption in items(lens, "caption") if 0 <= caption["x"] < 1200]
    assert seen
    assert all(caption["y"] < height for caption in seen)


def test_the_cursor_of_the_keyboard_stays_in_sight(lens):
    lens.locator(".stage").focus()
    lens.keyboard.press("ArrowRight")
    for _ in range(5):
        lens.keyboard.press("+")
    for _ in range(12):
        lens.keyboard.press("ArrowDown")
        lens.wait_for_timeout(60)
    lens.wait_for_timeout(200)

    box, stage = tail_of(lens), lens.locator(".stage").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= stage["height"] + 1


def test_shift_and_drag_ask_about_a_region(lens):
    lens.keyboard.down("Shift")
    lens.mouse.move(*on_stage(lens, 60, 60))
    lens.mouse.down()
    lens.mouse.move(*on_stage(lens, 130, 100), steps=5)
    lens.wait_for_timeout(100)
    assert lens.locator(".band").is_visible()
    lens.mouse.up()
    lens.keyboard.up("Shift")
    lens.wait_for_timeout(300)

    assert not lens.locator(".band").is_visible()
    assert re.search(r"q=0\.\d+\.\d+-0\.\d+\.\d+", lens.url)
    box = tail_of(lens)
    assert box["x"] <= 60
    assert box["x"] + box["width"] >= 130


def test_the_box_button_makes_every_drag_a_region_also_backwards_and_out_of_the_picture(lens):
    lens.get_by_role("button", name="Box").click()
    drag(lens, (200, 200), (-40, 150))
    start, end = re.search(r"q=0\.(\d+\.\d+)-0\.(\d+\.\d+)", lens.url).groups()
    assert start.split(".")[1] == "0"
    assert float(end.split(".")[1]) > 0

    lens.get_by_role("button", name="Box").click()
    assert "-" not in pinned_at(lens, 40, 40).split(",")[1]


def test_the_keyboard_alone_asks_about_a_region(lens):
    lens.locator(".stage").focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        lens.keyboard.press(key)
    lens.wait_for_timeout(300)
    assert re.search(r"q=\d+\.\d+\.\d+-\d+\.\d+\.\d+", lens.url)


@pytest.fixture
def phone(chromium, server, sample_id):
    """A phone: 375 pixels wide, three device pixels to one, fingers only."""
    context = chromium.new_context(
        viewport={"width": 375, "height": 780}, device_scale_factor=3, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{server.address}/clips/{sample_id}?q=")
    ready(page)
    page.locator(".stage").scroll_into_view_if_needed()
    yield page
    context.close()


def move_fingers(page, *moments: list[tuple[float, float]]) -> None:
    """Put fingers down at the places of the first moment, move them through the others and lift them."""
    client = page.context.new_cdp_session(page)
    for n, places in enumerate(moments):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        client.send("Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": points})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    client.detach()
    page.wait_for_timeout(300)


def test_a_tap_pins_and_two_fingers_zoom_the_stage_and_not_the_page(phone):
    x, y = on_stage(phone, 80, 80)
    phone.touchscreen.tap(x, y)
    phone.wait_for_timeout(300)
    assert "q=0." in phone.url

    whole, url = first_size(phone), phone.url
    move_fingers(phone, *([(x - apart, y), (x + apart, y)] for apart in (20, 30, 40, 50, 60)))
    assert first_size(phone) == pytest.approx(3 * whole, rel=0.1)
    assert phone.evaluate("visualViewport.scale") == 1
    assert phone.url == url


def test_one_finger_pans_a_zoomed_stage(phone):
    phone.locator("[data-zoom=in]").tap()
    phone.locator("[data-zoom=in]").tap()
    phone.wait_for_timeout(200)
    before, (x, y) = items(phone, "frame")[0], on_stage(phone, 200, 150)
    scrolled = phone.evaluate("scrollY")
    move_fingers(phone, *([(x - by, y - by)] for by in (0, 10, 30, 50)))

    after = items(phone, "frame")[0]
    assert after["x"] - before["x"] < -20
    assert phone.evaluate("scrollY") == scrolled


def test_nothing_is_wider_than_a_phone_with_everything_open(phone):
    phone.locator("label.toggle").tap()
    phone.get_by_role("tab", name="Step by step").tap()
    phone.locator(".step").first.wait_for(state="attached")
    phone.wait_for_timeout(300)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375


def test_two_device_pixels_to_one_change_sharpness_and_not_places(chromium, server, sample_id, lens):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
    sharp = context.new_page()
    sharp.goto(f"{server.address}/clips/{sample_id}?q=")
    ready(sharp)

    assert sharp.evaluate("(c => c.width / c.clientWidth)(document.querySelector('.answers'))") == 2
    assert pinned_at(sharp, 137, 211) == pinned_at(lens, 137, 211)
    assert items(sharp, "arrow") == items(lens, "arrow")
    context.close()


def test_palette_scale_and_smoothing_are_drawn_and_kept_in_the_link(lens):
    pinned_at(lens, 150, 150)
    lens.locator("label.toggle").click()
    lens.wait_for_timeout(200)
    shots = [lens.locator(".stage").screenshot()]
    for choose in (
        lambda: lens.locator("#palette").select_option("magma"),
        lambda: lens.locator("#scale").select_option("each"),
        lambda: lens.locator("#smooth").check(),
    ):
        choose()
        lens.wait_for_timeout(300)
        shots.append(lens.locator(".stage").screenshot())
    assert len(set(shots)) == 4
    assert "palette=magma&scale=each&smooth=1" in lens.url
    assert "within each frame" in lens.locator(".heat-legend").inner_text()

    drawn = items(lens, "heat")
    lens.reload()
    ready(lens)
    assert items(lens, "heat") == drawn
    assert lens.locator("#palette").input_value() == "magma"


def test_the_six_cards_have_the_numbers_of_the_arrow(lens):
    pinned_at(lens, 150, 150)
    lens.get_by_role("tab", name="Step by step").click()
    lens.wait_for_timeout(400)
    rows = lens.locator(".answers-table tbody tr")
    for rank in (1, 2):
        weight = rows.nth(rank - 1).locator("td").nth(1).inner_text()
        assert lens.locator(".steps-rank").inner_text() == f"arrow {rank} of 20"
        assert lens.locator(".step-value").nth(4).inner_text() == weight
        lens.locator(".steps-on").click()
        lens.wait_for_timeout(300)

    assert lens.locator(".step").count() == 6
