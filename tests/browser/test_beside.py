"""The same question twice in a real Chromium: through every block, and beside another block or clip."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser


def ready(page, block: str = "mixed_4f") -> None:
    page.wait_for_selector(f'[data-ready="{block}"]', timeout=60_000)
    page.wait_for_timeout(150)


def open_bench(page, name: str) -> None:
    page.locator(f"#tab-{name}").click()
    page.wait_for_selector(f"#bench-{name}:not([hidden])")


def paint_of(page, selector: str) -> str:
    """What stands on a canvas of answers."""
    return page.locator(f"{selector} canvas.answers").evaluate("canvas => canvas.toDataURL()")


def point_at(page, selector: str, x: float, y: float, *, click: bool = False) -> None:
    """Move to fractions of an element; maybe click."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    place = (box["x"] + x * box["width"], box["y"] + y * box["height"])
    (page.mouse.click if click else page.mouse.move)(*place)
    page.wait_for_timeout(300)


@pytest.fixture
def lens(page, server, sample_id):
    """The clip page of a sample with one pinned question."""
    page.goto(f"{server.address}/clips/{sample_id}?block=mixed_4f&q=1.5.4")
    ready(page)
    return page


def other_id(server, sample_id) -> str:
    clips = server.http.get("/api/v1/clips").json()["clips"]
    return next(clip["id"] for clip in clips if clip["id"] != sample_id)


def test_the_ladder_shows_every_block_and_how_far_they_agree(lens):
    open_bench(lens, "ladder")
    lens.locator(".rung-words", has_text="shared with").nth(3).wait_for()
    lens.wait_for_timeout(300)

    assert lens.locator(".rung[aria-pressed=true] .rung-name").inner_text().startswith("5. mixed_4f")
    diagonal = [lens.locator(".overlap tbody tr").nth(n).locator("td").nth(n).inner_text() for n in range(5)]
    assert diagonal == ["100 %"] * 5
    rows = [[cell.inner_text() for cell in row.locator("td").all()] for row in lens.locator(".overlap tbody tr").all()]
    assert rows == [list(column) for column in zip(*rows, strict=True)]
    assert len({paint_of(lens, f".rungs li:nth-child({n})") for n in range(1, 6)}) == 5


def test_a_rung_chooses_its_block(lens):
    open_bench(lens, "ladder")
    lens.get_by_role("button", name=re.compile(r"2\. mixed_4b")).click()
    ready(lens, "mixed_4b")
    lens.wait_for_timeout(200)

    assert "block=mixed_4b" in lens.url
    assert lens.locator(".rung[aria-pressed=true]").count() == 1
    assert "Shown above" in lens.locator(".rungs li:nth-child(2)").inner_text()


def test_the_pointer_on_either_view_moves_the_one_cursor_and_asks_no_server(lens):
    open_bench(lens, "beside")
    lens.locator("#pane-other-words", has_text="Strongest").wait_for()
    lens.wait_for_timeout(300)
    requests = []
    lens.on("request", lambda request: requests.append(request.url))
    pinned = paint_of(lens, ".pane-own"), paint_of(lens, ".pane-other")

    point_at(lens, ".pane-other", 0.2, 0.2)
    first = lens.evaluate("window.lens.state().cursor")
    assert first is not None
    assert paint_of(lens, ".pane-own") != pinned[0]
    assert paint_of(lens, ".pane-other") != pinned[1]
    point_at(lens, ".pane-own", 0.2, 0.2)
    assert lens.evaluate("window.lens.state().cursor") == first
    assert requests == []

    lens.mouse.move(2, 2)
    lens.wait_for_timeout(300)
    assert lens.evaluate("window.lens.state().cursor") is None
    assert (paint_of(lens, ".pane-own"), paint_of(lens, ".pane-other")) == pinned


def test_a_place_in_a_frame_that_is_not_shown_is_said_to_be_so_beside(lens):
    lens.get_by_label("Number of frames").fill("2")  # 0 and 8: the place is asked in 4 to 7
    lens.get_by_label("Number of frames").press("Tab")
    open_bench(lens, "beside")

    for pane in ("own", "other"):
        lens.locator(f"#pane-{pane}-words", has_text="20 of 20 start in a frame not shown").wait_for()


def test_a_click_on_the_companion_pins(lens):
    open_bench(lens, "beside")
    lens.locator("#pane-other-words", has_text="Strongest").wait_for()
    point_at(lens, ".pane-other", 0.35, 0.2, click=True)
    assert len(lens.evaluate("window.lens.state().pins")) == 2


def test_another_clip_beside_is_in_the_link_and_the_link_opens_it(lens, server, sample_id):
    open_bench(lens, "beside")
    other = other_id(server, sample_id)
    lens.wait_for_selector(f"#beside-clip option[value='{other}']", state="attached")
    lens.select_option("#beside-clip", other)
    lens.locator("#pane-other-words", has_text="Strongest").wait_for()
    lens.select_option("#beside-block", "mixed_4b")
    lens.wait_for_timeout(500)
    assert f"beside={other}.mixed_4b" in lens.url

    lens.reload()
    ready(lens)
    lens.locator("#pane-other-words", has_text="Strongest").wait_for()
    assert lens.locator("#beside-clip").input_value() == other
    assert lens.locator("#beside-block").input_value() == "mixed_4b"
    assert "same share" in lens.locator(".beside-words").inner_text()


def test_a_clip_chosen_before_anything_is_drawn_is_the_one_beside(lens, server, sample_id):
    other = other_id(server, sample_id)
    lens.evaluate("window.requestAnimationFrame = () => 0")  # a page that is too busy to draw
    open_bench(lens, "beside")
    lens.wait_for_selector(f"#beside-clip option[value='{other}']", state="attached")
    lens.select_option("#beside-clip", other)

    assert lens.evaluate("window.lens.state().beside").startswith(f"{other}.mixed_")


def test_a_clip_that_is_let_go_is_loaded_again_when_it_comes_back(lens, server, sample_id):
    open_bench(lens, "beside")
    other = other_id(server, sample_id)
    lens.wait_for_selector(f"#beside-clip option[value='{other}']", state="attached")
    for _ in range(2):
        with lens.expect_response(lambda response: f"{other}/blocks/" in response.url):  # the second time as the first
            lens.select_option("#beside-clip", other)
        lens.locator(".beside-words", has_text="same share").wait_for()
        lens.select_option("#beside-clip", "")
        lens.locator(".beside-words", has_text="same places").wait_for()


def test_a_clip_of_the_link_that_is_gone_is_told_and_the_rest_goes_on(page, server, sample_id):
    page.goto(f"{server.address}/clips/{sample_id}?beside={'0' * 24}.mixed_4f")
    ready(page)
    page.locator("#pane-other-words", has_text="no longer kept").wait_for()

    page.select_option("#beside-clip", "")
    page.locator("#pane-other-words", has_text="Strongest").wait_for()


def test_two_networks_on_one_video_are_compared_place_by_place(page, two_models_server, sample):
    first = two_models_server.upload(sample).json()["id"]
    two_models_server.finish(first)
    second = two_models_server.http.post(f"/api/v1/clips/{first}/again", params={"model": "late-blocks"}).json()["id"]
    two_models_server.finish(second)
    page.goto(f"{two_models_server.address}/clips/{first}?beside={second}.mixed_4f")
    ready(page)
    page.locator(".beside-words", has_text="are the same places").wait_for()

    assert page.locator("#beside-clip option:checked").inner_text() == "late-blocks"
    assert page.locator("#beside-block option").all_inner_texts() == ["mixed_4e", "mixed_4f"]
    for clip in (first, second):
        two_models_server.http.delete(f"/api/v1/clips/{clip}")


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("view", ["strip", "player"])
def test_neither_bench_is_wider_than_the_window(chromium, server, sample_id, width, view):
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{server.address}/clips/{sample_id}?view={view}")
    ready(page)
    for name in ("ladder", "beside"):
        open_bench(page, name)
        page.wait_for_timeout(800)
        assert page.locator(f"#bench-{name}").evaluate("bench => bench.scrollWidth <= bench.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
