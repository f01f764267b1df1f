"""Figures and films in a real Chromium: the SVG shows what the canvas shows, and the bench hands both out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

LINK = "block=mixed_4c&q=2.5.7,3.1.1-4.3.4&heat=1"

# Both painters on one draw list, in one page of the server; the canvas's pictures come from the sheet.
PAINT = """async ({clip, smooth, pictures}) => {
  const [{fit, paintPictures, paintAnswers}, {svgOf, svgDocument}, {loadImage, make}] = await Promise.all(
    ['canvas', 'svg', 'dom'].map((name) => import(`/static/js/${name}.js`)));
  const image = await loadImage(clip.frames.url);
  const wanted = ({kind}) => kind !== 'caption' && (pictures || kind !== 'frame');
  const items = window.lens.drawList().filter(wanted).map((item) => (item.kind === 'heat' ? {...item, smooth} : item));
  const box = {width: 1240, height: 330};
  const holder = make('div', {id: 'both'});
  holder.style.cssText = 'position:fixed;left:0;top:0;z-index:99;background:#fff;width:1240px;height:660px';
  const canvases = [make('canvas'), make('canvas')];
  for (const canvas of canvases) { canvas.style.cssText = 'position:absolute;left:0;top:0'; holder.append(canvas); }
  document.body.append(holder);
  const ink = {colour: '#000', font: '12px sans-serif', size: 12};
  paintPictures(fit(canvases[0], box.width, box.height), items, {image, frames: clip.frames}, ink);
  paintAnswers(fit(canvases[1], box.width, box.height), items, null);
  const cut = make('canvas', {width: clip.frames.size_px, height: clip.frames.size_px});
  const picture = (frame) => {
    const {size_px: size, columns} = clip.frames;
    cut.getContext('2d').drawImage(image, -(frame % columns) * size, -Math.floor(frame / columns) * size);
    return cut.toDataURL();
  };
  const svg = svgDocument({title: 'both', body: svgOf(items, {picture, ink}), box});
  const shown = await loadImage(URL.createObjectURL(new Blob([svg], {type: 'image/svg+xml'})));
  shown.style.cssText = 'position:absolute;left:0;top:330px';
  holder.append(shown);
  return items.map(({kind}) => kind);
}"""


def opened(page, server, clip_id, link=LINK):
    page.goto(f"{server.url}/clips/{clip_id}?{link}")
    page.wait_for_selector('[data-ready="mixed_4c"]', timeout=20_000)
    page.wait_for_timeout(200)


def apart(page, clip, *, smooth=False, pictures=False):
    """How far the two painters' pixels are apart, 0 to 255: the SVG below the canvas on one screenshot."""
    kinds = page.evaluate(PAINT, {"clip": clip, "smooth": smooth, "pictures": pictures})
    assert {"heat", "cell", "arrow", "mark"} <= set(kinds)
    page.wait_for_timeout(200)
    shot = page.locator("#both").screenshot()
    both = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float)
    assert np.std(both[:330]) > 20
    return np.abs(both[:330] - both[330:]).max(axis=2)


@pytest.mark.parametrize("smooth", [False, True])
def test_the_svg_shows_what_the_canvas_shows(page, server, sample_id, smooth):
    opened(page, server, sample_id)

    difference = apart(page, server.clip(sample_id), smooth=smooth)

    assert difference.mean() < 1
    assert np.mean(difference > 8) < 0.01  # edges alone
    assert np.mean(difference > 40) < 1e-4


def test_its_pictures_are_the_frames_of_the_canvas(page, server, sample_id):
    opened(page, server, sample_id)

    difference = apart(page, server.clip(sample_id), pictures=True)

    assert difference.mean() < 1.5  # the two scale pictures a little differently
    assert np.mean(difference > 60) < 1e-4


def test_the_bench_hands_out_the_figure_of_the_question(page, server, sample_id):
    opened(page, server, sample_id)
    page.click("#tab-take")
    page.wait_for_selector("#bench-take [data-figure=svg][href*='q=2.5.7']")
    page.fill("#take-width", "500")

    with page.expect_download() as download:
        page.click("[data-figure=svg]")

    text = download.value.path().read_text()
    assert download.value.suggested_filename == "two-cups-mixed_4c.svg"
    assert 'width="500"' in text
    assert "q=2.5.7,3.1.1-4.3.4&amp;heat=1" in text


def test_the_bench_makes_a_film_and_shows_it(page, server, sample_id):
    opened(page, server, sample_id, "block=mixed_4c&q=2.5.7&k=3")
    page.click("#tab-take")
    page.wait_for_selector("#bench-take [data-figure=svg][href*='q=2.5.7']")
    page.click("[data-film=mp4]")
    page.wait_for_selector(".films video", timeout=60_000)

    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.films video').videoWidth") == 480
    with page.expect_download() as download:
        page.click(".films .button")
    assert download.value.suggested_filename == "two-cups-arrows.mp4"
    assert page.inner_text(".film-words").endswith("done")


def test_a_film_can_be_cancelled(page, server, sample_id):
    opened(page, server, sample_id, "block=mixed_4c&q=2.5.7&k=4")
    page.click("#tab-take")
    page.wait_for_selector("#bench-take [data-figure=svg][href*='q=2.5.7']")
    page.click("[data-film=gif]")
    page.click(".films button:has-text('Cancel')")

    page.wait_for_selector(".film-words:has-text('cancelled')")


@pytest.mark.parametrize("width", [375, 1280])
def test_the_bench_fits(page, server, sample_id, width):
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, server, sample_id)
    page.click("#tab-take")
    page.wait_for_selector("#bench-take [data-figure=svg][href*='q=2.5.7']")

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
