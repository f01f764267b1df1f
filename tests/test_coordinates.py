"""Coordinate mistakes that others shipped, each held against the whole way: a video file in, the API's answer out.

`landmarks.py` makes the film. Two red spots alike, far apart in place and time: asked about one, the blocks answer
with the two of them, so an answer that lies elsewhere was turned, shifted or exchanged on its way. Mistakes of the
page are in `browser/test_coordinates.py`.
"""

from __future__ import annotations

import csv
import io
import math
import struct

import numpy as np
import pytest
from PIL import Image

from nonlocal_core.analysis import batch_of, read_clip
from tests.landmarks import ABOVE, BELOW, CROP, FRAMES, GREEN, LENGTH, SIDE, STRIDE, landmarks, numbered, write_video
from tests.video.conftest import number_in

CLIPS = "/api/v1/clips"
ON_A_LANDMARK = 0.95  # of the mass of what is asked below; 0.99 and more were seen


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The films, by name: landmarks in a wide film, the same with a rotation mark, and pictures that carry numbers."""
    folder = tmp_path_factory.mktemp("films")
    wide = write_video(folder / "wide.mp4", landmarks())
    turned = folder / "turned.mp4"
    turned.write_bytes(marked_as_turned(wide.read_bytes()))
    return {"wide": wide, "turned": turned, "numbers": write_video(folder / "numbers.mp4", numbered())}


def marked_as_turned(data: bytes) -> bytes:
    """The same MP4 whose track header asks for a quarter turn clockwise (ISO 14496-12, matrix of tkhd)."""
    start = data.index(b"tkhd") + 44
    return data[:start] + struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30) + data[start + 36 :]


@pytest.fixture(scope="module")
def analysed(server, films):
    """Analyses a film once; gives the clip's JSON."""
    done: dict[str, dict] = {}

    def analyse(name: str, **query: str) -> dict:
        if name not in done:
            done[name] = server.finish(server.upload(films[name], **query).json()["id"])
        assert done[name]["state"] == "done"
        return done[name]

    yield analyse
    for clip in done.values():
        server.http.delete(f"{CLIPS}/{clip['id']}")


@pytest.fixture
def get(server, analysed):
    """The API's answer about a film's clip: get("wide", "arrows", block=...)."""

    def ask(name: str, path: str, **query):
        answer = server.http.get(f"{CLIPS}/{analysed(name)['id']}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer if answer.headers["content-type"] != "application/json" else answer.json()

    return ask


def sheet(answer, layout: dict) -> list[np.ndarray]:
    """The pictures of a sprite sheet, in order: uint8 [H,W,3] each."""
    whole = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
    width, height = layout.get("width_px", layout.get("size_px")), layout.get("height_px", layout.get("size_px"))
    places = [divmod(n, layout["columns"]) for n in range(layout["count"])]
    return [whole[row * height : (row + 1) * height, column * width : (column + 1) * width] for row, column in places]


def middle(mask: np.ndarray) -> tuple[float, float]:
    """The middle of what is true, as fractions (x, y) of the picture."""
    rows, columns = np.nonzero(mask)
    return (float(columns.mean()) + 0.5) / mask.shape[1], (float(rows.mean()) + 0.5) / mask.shape[0]


def red(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 0] > 170) & (rgb[..., 1:].max(-1) < 90)


def green(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 1] > 170) & (rgb[..., [0, 2]].max(-1) < 120)


def seen(get, analysed, name: str) -> list[np.ndarray]:
    """The pictures that the network saw, as the API hands them out."""
    return sheet(get(name, "frames.jpg"), analysed(name)["frames"])


def as_filmed(x: float, y: float) -> tuple[float, float]:
    return x, y


def as_turned(x: float, y: float) -> tuple[float, float]:
    return 1 - y, x


def shares(told: dict, part: str, at=as_filmed) -> float:
    """The share of an answer's mass on cells that meet the nearer landmark: in "x", in "y" or in "time"."""
    arrows = told["arrows"]
    met = sum(arrow["weight"] for arrow in arrows if meets(arrow["end"], part, at))
    return met / sum(arrow["weight"] for arrow in arrows)


def meets(end: dict, part: str, at) -> bool:
    """Within half a spot, or four frames: so far a convolution's own reach spreads a landmark."""
    spot = min((ABOVE, BELOW), key=lambda spot: math.dist(at(spot.x, spot.y), (end["x"], end["y"])))
    (x, y), margin = at(spot.x, spot.y), 16 / CROP
    left, top, right, bottom = end["box"]
    first, last = end["frames"]
    return {
        "x": left < x + margin and right > x - margin,
        "y": top < y + margin and bottom > y - margin,
        "time": first <= spot.last + 4 and last >= spot.first - 4,
    }[part]


def about(get, spot, block: str = "mixed_4b", name: str = "wide", at=as_filmed) -> dict:
    """The arrows from the middle of a spot."""
    x, y = at(spot.x, spot.y)
    return get(name, "arrows", block=block, frame=spot.frame, x=x, y=y)


BOTH = pytest.mark.parametrize("spot", [ABOVE, BELOW], ids=["above", "below"])
BLOCKS = pytest.mark.parametrize("block", ["mixed_3c", "mixed_4b", "mixed_4c"])


@BOTH
@BLOCKS
def test_what_is_at_the_top_of_the_video_is_not_answered_upside_down(get, analysed, spot, block):
    x, y = middle(red(seen(get, analysed, "wide")[spot.frame]))
    assert (x, y) == pytest.approx((spot.x, spot.y), abs=0.02)

    assert shares(about(get, spot, block), "y") > ON_A_LANDMARK


@BOTH
@BLOCKS
def test_height_and_width_are_not_exchanged(get, spot, block):
    told = about(get, spot, block)
    _t, h, w = (told["start"]["cell"][axis] for axis in "thw")
    side = 28 if block == "mixed_3c" else 14
    assert (h, w) == (math.floor(spot.y * side), math.floor(spot.x * side))

    assert shares(told, "x") > ON_A_LANDMARK
    assert shares(told, "y") > ON_A_LANDMARK


@BOTH
@BLOCKS
def test_time_major_cells_are_not_read_in_space_major_order(get, spot, block):
    """The one spot is early, the other late: rows or columns read as times would lie anywhere."""
    assert shares(about(get, spot, block), "time") > ON_A_LANDMARK
    row = get("wide", "row", block=block, frame=spot.frame, x=spot.x, y=spot.y)
    weights = np.array(row["weights"]).reshape([row["grid"][axis] for axis in "thw"])

    best = about(get, spot, block)["arrows"][0]
    assert np.unravel_index(weights.argmax(), weights.shape) == tuple(best["end"]["cell"].values())


def test_the_edges_that_the_crop_cuts_off_are_not_counted_as_part_of_it(get, analysed):
    """A place found in the whole video, taken through the stated crop, is the place that was filmed."""
    overview = get("wide", "overview")
    left, top, right, bottom = overview["crop"]
    number = overview["indices"].index(max(i for i in overview["indices"] if i <= STRIDE * ABOVE.last))
    x, y = middle(red(sheet(get("wide", "overview.jpg"), overview)[number]))
    inside = ((x - left) / (right - left), (y - top) / (bottom - top))

    assert inside == pytest.approx((ABOVE.x, ABOVE.y), abs=0.03)
    assert abs(x - ABOVE.x) > 0.1  # unlike the place in the whole picture
    assert red(seen(get, analysed, "wide")[ABOVE.frame])[
        round(inside[1] * CROP) - 8 : round(inside[1] * CROP) + 8
    ].any()


def test_no_cell_drifts_by_half_a_cell(get, analysed):
    """The green square fills one cell; the cell's box is the square, and each of its corners asks about that cell."""
    rows, columns = np.nonzero(green(seen(get, analysed, "wide")[0]))
    edges = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / CROP
    column, row = GREEN
    for dx in (0.02, 0.5, 0.98):
        for dy in (0.02, 0.5, 0.98):
            x, y = (column + dx) / 28, (row + dy) / 28
            start = get("wide", "arrows", block="mixed_3c", frame=0, x=x, y=y)["start"]
            assert (start["cell"]["w"], start["cell"]["h"]) == GREEN
            assert start["box"] == pytest.approx(edges, abs=1.5 / CROP)  # JPEG blurs by a pixel


def test_no_frame_is_early_or_late_at_the_ends(server, get, analysed):
    last_start = LENGTH - (STRIDE * (FRAMES - 1) + 1)
    clip = analysed("numbers", start_s=str(last_start / 25))
    pictures = seen(get, analysed, "numbers")
    numbers = [number_in(picture) for picture in pictures]
    assert numbers == list(range(last_start, LENGTH, STRIDE)) == clip["frames"]["indices"]
    assert clip["frames"]["times_s"] == pytest.approx([number / 25 for number in numbers])

    ask = {"block": "mixed_4f", "x": 0.5, "y": 0.5}
    for frame in range(FRAMES):
        first, last = get("numbers", "arrows", frame=frame, **ask)["start"]["frames"]
        assert first <= frame <= last
        assert (first, last) == (frame // 4 * 4, frame // 4 * 4 + 3)
    beyond = server.http.get(f"{CLIPS}/{clip['id']}/arrows", params=ask | {"frame": FRAMES})
    assert beyond.status_code == 422


@BOTH
def test_a_rotation_that_the_file_asks_for_is_not_ignored(get, analysed, spot):
    clip = analysed("turned")
    assert (clip["video"]["width"], clip["video"]["height"]) == (SIDE, 456)
    place = as_turned(spot.x, spot.y)
    assert middle(red(seen(get, analysed, "turned")[spot.frame])) == pytest.approx(place, abs=0.02)

    told = about(get, spot, name="turned", at=as_turned)
    for part in ("x", "y", "time"):
        assert shares(told, part, as_turned) > ON_A_LANDMARK


def test_red_and_blue_are_not_exchanged(get, analysed, films, model):
    overview = get("wide", "overview")
    number = overview["indices"].index(max(i for i in overview["indices"] if i <= STRIDE * ABOVE.last))
    for picture in (seen(get, analysed, "wide")[ABOVE.frame], sheet(get("wide", "overview.jpg"), overview)[number]):
        assert red(picture).any()
        assert not red(picture[..., ::-1]).any()

    clip, _ = read_clip(films["wide"], model.spec)
    given = batch_of(clip, model.spec)[0, :, ABOVE.frame].numpy()  # [3, 224, 224], normalised
    as_drawn = (given * np.array(model.spec.std)[:, None, None] + np.array(model.spec.mean)[:, None, None]) * 255
    assert middle(red(as_drawn.transpose(1, 2, 0))) == pytest.approx((ABOVE.x, ABOVE.y), abs=0.02)


def test_where_an_answer_is_missing_no_place_is_made_up(server, get, analysed):
    everything = {"near_cells": 99, "near_frames": 999}
    ask = {"block": "mixed_4b", "frame": ABOVE.frame, "x": ABOVE.x, "y": ABOVE.y}
    assert get("wide", "arrows", **ask, **everything)["arrows"] == []
    assert len(list(csv.reader(io.StringIO(get("wide", "arrows.csv", **ask, **everything).text)))) == 1  # the header
    with np.load(io.BytesIO(get("wide", "answer.npz", **ask, **everything).content)) as read:
        assert read["end"].shape == (0, 3)

    few = get("wide", "arrows", **ask, when="0-3", near_cells=4, near_frames=99, k=100)["arrows"]
    assert 0 < len(few) < 49  # cells that are left, not as many as were asked for
    assert len({tuple(arrow["end"]["cell"].values()) for arrow in few}) == len(few)
    for outside in ({"x": 1.0}, {"y": -0.01}, {"frame": FRAMES}):
        refused = server.http.get(f"{CLIPS}/{analysed('wide')['id']}/arrows", params=ask | outside)
        assert refused.status_code == 422
