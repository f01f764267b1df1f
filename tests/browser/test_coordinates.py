"""Coordinate mistakes that a page can make, in a real Chromium: what is painted, clicked and drawn is one place.

The films are those of `landmarks.py`; the same mistakes on the way to the API are in `tests/test_coordinates.py`.
"""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_lens import arrows, draw_list, ranks, ready
from tests.landmarks import ABOVE, BELOW, FRAMES, GREEN, STRIDE, landmarks, numbered, write_video

pytestmark = pytest.mark.browser

CLIPS = "/api/v1/clips"


@pytest.fixture(scope="module")
def address(server, tmp_path_factory):
    """Pages of the films: address("wide")."""
    folder, made = tmp_path_factory.mktemp("films"), {}
    for name, film in (("wide", landmarks()), ("numbers", numbered())):
        uploaded = server.upload(write_video(folder / f"{name}.mp4", film)).json()
        made[name] = server.finish(uploaded["id"])["id"]
    yield lambda name: f"{server.address}/clips/{made[name]}"
    for clip_id in made.values():
        server.http.delete(f"{CLIPS}/{clip_id}")


def opened(page, address: str, block: str, query: str) -> None:
    page.goto(f"{address}?block={block}&{query}")
    ready(page, block)
    page.wait_for_timeout(200)


def painted(page, canvas: str = ".pictures") -> np.ndarray:
    """The pixels of a canvas of the stage: uint8 [H, W, 4], one to a CSS pixel."""
    read = "canvas => canvas.toDataURL('image/png').split(',')[1]"
    data = page.locator(f".stage {canvas}").evaluate(read)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """left, top, right, bottom in pixels."""
    rows, columns = np.nonzero(mask)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def red(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 0] > 170) & (rgb[..., 1:3].max(-1) < 90)


def green(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 1] > 150) & (rgb[..., [0, 2]].max(-1) < 120)


def of(page, kind: str, **fields) -> list[dict]:
    found = [item for item in draw_list(page) if item["kind"] == kind]
    return [item for item in found if all(item[name] == value for name, value in fields.items())]


def click(page, x: float, y: float) -> None:
    page.locator(".stage").click(position={"x": x, "y": y})
    page.wait_for_timeout(250)


def asked(page) -> str:
    """The questions in the address bar."""
    return page.url.split("q=")[1].split("&")[0] if "q=" in page.url else ""


def test_a_click_on_a_thing_is_not_answered_upside_down_or_on_its_side(page, address):
    """Red is clicked where it is painted; the strongest heads lie on what is red in its picture."""
    opened(page, address("wide"), "mixed_4b", f"q=&frames={BELOW.frame}.{ABOVE.frame}")
    pixels, (early, late) = painted(page), of(page, "frame")
    left, top, right, bottom = bounds(red(pixels[:, round(late["x"]) :]))
    click(page, late["x"] + (left + right) / 2, (top + bottom) / 2)
    assert asked(page) == f"5.{math.floor(14 * ABOVE.y)}.{math.floor(14 * ABOVE.x)}"

    for picture in (early, late):
        head = of(page, "cell", role="head", frame=picture["frame"])[-1]["box"]  # the strongest is drawn last
        x, y = round(head["x"]), round(head["y"])
        assert red(pixels[y : y + round(head["height"]), x : x + round(head["width"])]).any()


def test_the_empty_sides_of_the_player_are_not_taken_for_the_picture(page, address):
    opened(page, address("wide"), "mixed_4b", f"q=&view=player&frame={ABOVE.frame}")
    (picture,) = of(page, "frame")
    assert picture["x"] > 40
    for x in (picture["x"] / 2, picture["x"] - 2, picture["x"] + picture["size"] + 2):
        click(page, x, picture["size"] / 2)
        assert asked(page) == ""

    left, top, right, bottom = bounds(red(painted(page)))
    click(page, (left + right) / 2, (top + bottom) / 2)
    assert asked(page) == f"5.{math.floor(14 * ABOVE.y)}.{math.floor(14 * ABOVE.x)}"


@pytest.mark.parametrize("view", ["view=strip&frames=0.8", "view=player"])
def test_a_cell_on_the_page_does_not_drift_by_half_a_cell(page, address, view):
    """The green square fills one cell: the outline is its edge, and each of its corners asks about it."""
    column, row = GREEN
    opened(page, address("wide"), "mixed_3c", f"q=0.{row}.{column}&{view}")
    picture = of(page, "frame", frame=0)[0]
    left, top, right, bottom = bounds(green(painted(page)[:, : round(picture["x"] + picture["size"])]))
    (tail,) = (item["box"] for item in of(page, "cell", role="tail", frame=0))
    outline = (tail["x"], tail["y"], tail["x"] + tail["width"], tail["y"] + tail["height"])
    assert outline == pytest.approx((left, top, right, bottom), abs=0.2 * tail["width"])

    page.keyboard.press("Escape")
    for x in (left + 3, right - 3):
        for y in (top + 3, bottom - 3):
            click(page, x, y)
            assert asked(page) == f"0.{row}.{column}"
            page.keyboard.press("Escape")
            page.wait_for_timeout(150)


def test_the_first_and_last_pictures_are_not_a_frame_early_or_late(page, address):
    opened(page, address("numbers"), "mixed_4f", "q=&frames=0.1.30.31")
    pixels = painted(page)
    for picture, caption in zip(of(page, "frame"), of(page, "caption"), strict=True):
        x, y, size = (round(picture[name]) for name in ("x", "y", "size"))
        bars = np.array_split(pixels[y + size // 2 : y + size, x : x + size, :3].mean(axis=(0, 2)), 8)
        number = int("".join(str(int(bar[len(bar) // 4 : -len(bar) // 4].mean() > 127)) for bar in bars), 2)
        assert number == STRIDE * picture["frame"]
        assert caption["text"] == f"{picture['frame']} · {number / 25:.2f} s"

    for frame, cell in ((0, 0), (FRAMES - 1, 7)):
        page.get_by_text("Player", exact=True).click()
        page.locator("#frame").fill(str(frame))
        page.keyboard.press("Escape")
        click(page, of(page, "frame")[0]["x"] + 5, 5)
        assert asked(page) == f"{cell}.0.0"
        assert page.locator(".now").inner_text() == f"frame {frame}, {STRIDE * frame / 25:.2f} s"


HEAT_OF_UNLIKE_SIDES = """async (smooth) => {
  const {paintAnswers} = await import('/static/js/canvas.js');
  const {svgOf, svgDocument} = await import('/static/js/svg.js');
  const grid = {h: 3, w: 8}, values = Array(24).fill(0);
  values[1 * 8 + 6] = 1;                                        // row 1 of 3, column 6 of 8
  const heat = {kind: 'heat', frame: 0, x: 0, y: 0, size: 240, grid, values, opacity: 1, palette: 'viridis', smooth};
  const sheet = () => Object.assign(document.createElement('canvas'), {width: 240, height: 240});
  const middle = (canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, 240, 240);
    const hot = [];
    for (let n = 0; n < 240 * 240; n += 1) {
      if (data[4 * n] > 180 && data[4 * n + 2] < 90) hot.push([n % 240, Math.floor(n / 240)]);
    }
    return hot.reduce(([x, y], [hx, hy]) => [x + hx / hot.length, y + hy / hot.length], [0, 0]);
  };
  const canvas = sheet(), drawn = sheet(), image = new Image();
  paintAnswers(canvas.getContext('2d'), [heat], null);
  const body = svgOf([heat], {picture: () => null, ink: {}});
  const text = svgDocument({title: 'heat', body, box: {width: 240, height: 240}});
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  drawn.getContext('2d').drawImage(image, 0, 0);
  return [middle(canvas), middle(drawn)];
}"""


@pytest.mark.parametrize("smooth", [False, True])
def test_a_heat_map_of_unlike_sides_is_not_painted_on_its_side(page, server, smooth):
    page.goto(server.address)
    for x, y in page.evaluate(HEAT_OF_UNLIKE_SIDES, smooth):
        assert (x, y) == pytest.approx((6.5 / 8 * 240, 1.5 / 3 * 240), abs=3)


def test_where_an_answer_is_missing_nothing_is_drawn(page, address):
    opened(page, address("wide"), "mixed_4b", "q=5.2.10&near=99.999&heat=1")
    assert arrows(page) == of(page, "cell", role="head") == []
    assert ranks(page) == 0
    assert not painted(page, ".resting")[..., 3].any()
    for item in draw_list(page):
        assert all(math.isfinite(value) for value in item.values() if isinstance(value, (int, float)))

    opened(page, address("wide"), "mixed_4b", f"q=5.2.10&frames={ABOVE.frame}&when=others")
    unseen = arrows(page)
    assert len(unseen) == 20
    assert all(not arrow["shown"] and arrow["to"] is None for arrow in unseen)
    assert page.locator(".out-of-sight").inner_text().startswith(f"{len(unseen)} of 20 end in frames not shown")
