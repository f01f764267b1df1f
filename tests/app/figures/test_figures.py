"""A stored clip's link as SVG, PNG, PDF, MP4 and GIF, without a server."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from app.cli import main
from app.figures import raster
from app.figures.drawing import CannotDraw, Drawing
from app.figures.film import composed, make_film, rate_of
from app.figures.subject import stored_subject
from nonlocal_core.affinity.store import AffinityStore
from nonlocal_core.zoo.cards import CARDS
from tests.server import ROOT

LINK = "block=mixed_4c&q=2.5.7&heat=1"
MADE = "2026-01-02T03:04:05+00:00"
SVG = raster.SVG


@pytest.fixture(scope="module")
def kept(analysis, tmp_path_factory):
    """A folder with the sample's analysis, as `analyse --out` makes it."""
    folder = tmp_path_factory.mktemp("figures") / "kept"
    folder.mkdir()
    origin = {"model": "default", "filename": "two <cups>.mp4", "sha256": "ab" * 32, "start_s": "0.0"}
    AffinityStore(folder.parent).write(folder.name, analysis, origin)
    return folder


@pytest.fixture(scope="module")
def subject(kept):
    return stored_subject(AffinityStore(kept.parent), kept.name, CARDS)


@pytest.fixture(scope="module")
def drawing():
    drawing = Drawing()
    yield drawing
    drawing.close()


def draw(drawing, subject, link=LINK, made=MADE, width=1000):
    with drawing.of(subject, link) as sketch:
        return sketch.figure(version="9.9", made=made, width=width)


@pytest.fixture(scope="module")
def svg(drawing, subject):
    return draw(drawing, subject)


def test_the_figure_is_xml_with_pictures_heat_maps_arrows_and_words(svg, analysis):
    root = ElementTree.fromstring(svg.encode())

    assert len(root.findall(f".//{SVG}image")) == 4 + 4
    assert len(root.findall(f".//{SVG}path")) > 10
    assert "two <cups>.mp4, mixed_4c" in root.find(f"{SVG}title").text
    top = analysis.arrows("mixed_4c", frame=8, x=7.5 / 14, y=5.5 / 14, k=20)
    held = 100 * sum(arrow.weight for arrow in top)
    assert f"together {held:.1f} %" in "".join(root.itertext())


def test_the_same_link_gives_the_same_bytes_but_for_the_date(drawing, subject, svg):
    other = draw(drawing, subject, made="2027-01-02T03:04:05+00:00")

    assert draw(drawing, subject) == svg
    assert other != svg
    assert other.replace("2027", "2026") == svg
    assert raster.png_of(svg, 600) == raster.png_of(svg, 600)
    assert raster.pdf_of(svg) == raster.pdf_of(svg)


def test_each_format_says_where_it_comes_from(svg):
    told = raster.provenance_of(svg)
    with Image.open(io.BytesIO(raster.png_of(svg, 600))) as png:
        assert png.size[0] == 600
        assert json.loads(png.text["Comment"]) == told
        assert png.text["Software"] == "Nonlocal Lens 9.9"

    assert told["video"]["sha256"] == "ab" * 32
    assert set(told["weights_sha256"]) == {"i3d-kinetics-400.safetensors", "i3d-related-blocks.safetensors"}
    assert (told["block"], told["kind"], told["k"], told["made"]) == ("mixed_4c", "embedded_gaussian", 20, MADE)
    assert told["cells"] == [[{"t": 2, "h": 5, "w": 7}]]


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="poppler-utils is not installed")
def test_the_pdf_shows_what_the_png_shows(svg, tmp_path):
    (tmp_path / "figure.pdf").write_bytes(raster.pdf_of(svg))
    subprocess.run(["pdftoppm", "-r", "96", "-png", "-singlefile", "figure.pdf", "page"], cwd=tmp_path, check=True)
    info = subprocess.run(["pdfinfo", "figure.pdf"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    with Image.open(tmp_path / "page.png") as page, Image.open(io.BytesIO(raster.pixels_of(svg, 1000))) as png:
        theirs, ours = (np.asarray(image.convert("RGB").resize((500, 190)), float) for image in (page, png))
    assert np.abs(theirs - ours).mean() < 4
    assert '"sha256": "abab' in info
    assert "2026" in info.split("CreationDate:")[1].splitlines()[0]


def test_text_needs_no_font_of_the_system(svg):
    with_words = raster.pixels_of(svg, 600)
    without = raster.pixels_of(svg.replace("<text", "<desc").replace("</text", "</desc"), 600)

    assert with_words != without


@pytest.mark.parametrize(
    "link", ["", "?", "q=%E0%A4%A", "block=nothing&q=1.2.3,x,999.0.0&k=-1&frames=9999", "q=" + "1" * 4000]
)
def test_an_odd_link_is_drawn_and_what_is_odd_is_said(drawing, subject, link):
    svg = draw(drawing, subject, link)

    assert ElementTree.fromstring(svg.encode()).tag == f"{SVG}svg"


def test_a_clip_without_blocks_cannot_be_drawn_and_the_next_one_can(drawing, subject):
    bare = type(subject)(subject.clip, [], {}, subject.features, subject.sheet)

    with pytest.raises(CannotDraw, match="no non-local block"):
        draw(drawing, bare)
    assert draw(drawing, subject).startswith("<?xml")


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_a_film_shows_every_frame_as_drawn_at_the_speed_of_the_clip(drawing, subject, tmp_path, kind):
    shares = []
    make_film(tmp_path / "film", kind, drawing, subject, LINK, shares.append)

    with av.open(tmp_path / "film") as file:
        seen = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        rate = float(file.streams.video[0].average_rate)
    with drawing.of(subject, LINK) as sketch:
        overlays = [raster.pixels_of(sketch.shot(frame), 480) for frame in (0, 9, 31)]
    expected = [composed(next(iter(subject.pictures([n]))), png) for n, png in zip((0, 9, 31), overlays, strict=True)]
    assert len(seen) == 32
    assert shares[-1] == 1
    assert rate == pytest.approx(float(rate_of(subject.clip["frames"]["times_s"])), rel=0.05)
    for frame, drawn in zip((seen[0], seen[9], seen[31]), expected, strict=True):
        assert frame.shape == (504, 480, 3)
        assert np.abs(frame.astype(float) - drawn).mean() < 8
        wrong = [np.abs(frame.astype(float) - other).mean() for other in expected if other is not drawn]
        assert np.abs(frame.astype(float) - drawn).mean() < min(wrong)


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "h264"), ("gif", "gif")])
def test_somebody_elses_program_reads_the_film(drawing, subject, tmp_path, kind, codec):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not here: apt-get install ffmpeg")
    path = tmp_path / f"film.{kind}"
    make_film(path, kind, drawing, subject, LINK, lambda _: None)

    asked = ["-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "json"]
    told = subprocess.run(["ffprobe", "-v", "error", *asked, path], capture_output=True, check=True)

    assert told.stderr == b""
    assert json.loads(told.stdout)["streams"] == [
        {"codec_name": codec, "width": 480, "height": 504, "nb_read_frames": "32"}
    ]


def test_the_command_draws_a_folder_like_the_server(kept, svg, tmp_path):
    out = tmp_path / "figure.svg"

    assert main(["figure", "--from", LINK, "--clip", str(kept), "--out", str(out)]) == 0
    drawn = out.read_text()
    made = raster.provenance_of(drawn)["made"]
    version = raster.provenance_of(drawn)["version"]
    assert drawn.replace(made, MADE).replace(version, "9.9") == svg


@pytest.mark.parametrize(("end", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_end_of_the_name_says_the_format(kept, tmp_path, end, start):
    out = tmp_path / f"figure.{end}"

    assert main(["figure", "--from", LINK, "--clip", str(kept), "--out", str(out), "--width", "300"]) == 0
    assert out.read_bytes().startswith(start)


def test_a_query_without_a_clip_and_a_strange_end_are_explained(tmp_path, capsys):
    assert main(["figure", "--from", LINK, "--out", str(tmp_path / "a.svg")]) == 1
    assert main(["figure", "--from", LINK, "--out", str(tmp_path / "a.bmp")]) == 1
    assert "--clip" in (said := capsys.readouterr().err)
    assert ".svg, .png, .pdf" in said


THREADS = """
import sys, threading
from pathlib import Path
from app.figures import drawing
from app.main import create_app
from app.settings import Settings
create_app(Settings(data=Path(sys.argv[1])))
drawn = drawing.Drawing()
def draw():
    drawn._engine = drawing._engine()
thread = threading.Thread(target=draw)
thread.start()
thread.join()
drawn.close()
"""


def test_what_one_thread_drew_with_another_lets_go_without_a_crash(tmp_path):
    """Without `wake_v8` a segmentation fault, on processors with memory protection keys."""
    done = subprocess.run([sys.executable, "-c", THREADS, str(tmp_path)], cwd=ROOT, check=False)

    assert done.returncode == 0
