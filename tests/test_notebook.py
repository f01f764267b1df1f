"""What an analysis shows of itself in a notebook: parsed as XML, pictures decoded, hostile names escaped."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nonlocal_core.notebook import analysis_html, shown_frames


def small_analysis(make_field, **changes):
    """Eight frames, each of one grey; two classes, one block."""
    rgb = np.repeat(np.arange(8, dtype=np.uint8) * 30, 16 * 16 * 3).reshape(8, 16, 16, 3)
    parts = {
        "clip": SimpleNamespace(rgb=rgb, times_s=np.arange(8) / 4),
        "scores": np.array([0.25, 0.75], np.float32),
        "labels": ("walking", "juggling"),
        "fields": {"res3_1": make_field()},
        "notes": (),
    }
    return SimpleNamespace(**(parts | changes))


def parsed(analysis) -> ElementTree.Element:
    return ElementTree.fromstring(analysis_html(analysis))


def test_four_frames_are_shown_with_their_times_and_are_those_frames(make_field):
    figures = parsed(small_analysis(make_field)).findall(".//figure")

    assert [figure.findtext("figcaption") for figure in figures] == [
        "0 · 0.00 s",
        "2 · 0.50 s",
        "4 · 1.00 s",
        "6 · 1.50 s",
    ]
    greys = []
    for figure in figures:
        kind, content = figure.find("img").get("src").split(",")
        assert kind == "data:image/jpeg;base64"
        greys.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).mean())
    assert greys == pytest.approx([0, 60, 120, 180], abs=2)


@pytest.mark.parametrize(("count", "frames"), [(32, [0, 8, 16, 24]), (64, [0, 8, 16, 24]), (3, [0, 1, 2]), (1, [0])])
def test_the_papers_four_frames_where_the_clip_is_long_enough(count, frames):
    assert list(shown_frames(count)) == frames


def test_classes_fall_and_blocks_say_kind_and_both_grids(make_field):
    classes, blocks = ([list(row.itertext()) for row in table.findall("tbody/tr")]
                       for table in parsed(small_analysis(make_field)).findall("table"))  # fmt: skip

    assert classes == [["juggling", "75.0%"], ["walking", "25.0%"]]
    assert blocks == [["res3_1", "embedded gaussian", "2 × 4 × 6", "2 × 2 × 3"]]


def test_nothing_a_file_or_model_says_becomes_markup(make_field):
    bad = "<script>alert('x')</script>&\""
    html = analysis_html(
        small_analysis(make_field, labels=(bad, bad), notes=(bad,), fields={bad: make_field("dot_product")})
    )

    assert "<script" not in html
    texts = list(ElementTree.fromstring(html).itertext())
    assert texts.count(bad) == 4  # as text it is all there


def test_it_is_self_contained(analysis):
    html = analysis._repr_html_()

    assert len(html) < 150_000
    addresses = [element.get("src") for element in ElementTree.fromstring(html).iter() if element.get("src")]
    assert len(addresses) == 4
    assert all(address.startswith("data:") for address in addresses)
    assert "http" not in html
    assert analysis.labels[int(analysis.scores.argmax())] in html
    for block in analysis.blocks:
        assert f">{block}<" in html
