"""Getting a clip in, as a person on an ordinary host does it: limits, progress, odd videos, the gallery."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.browser.test_lens import ranks, ready
from tests.video.conftest import write_film
from tests.video.test_decode import CLOCKWISE, turned

pytestmark = pytest.mark.browser

CLIPS = "/api/v1/clips"

TELL_TEXTS = """selector => {
  const part = document.querySelector(selector);
  new MutationObserver(() => { if (!part.hidden) window.tell(part.innerText); })
    .observe(part, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def clips_of(server) -> dict[str, str]:
    """Id -> when it was first uploaded."""
    return {clip["id"]: clip["created_at"] for clip in server.http.get(CLIPS).json()["clips"]}


@pytest.fixture
def home(page, server):
    """The first page; clips that a test made are removed."""
    before = clips_of(server)
    page.goto(f"{server.address}/")
    page.wait_for_selector(".cards li")
    assert page.evaluate("window.isSecureContext") is False
    yield page
    for clip_id in clips_of(server).keys() - before.keys():
        server.http.delete(f"{CLIPS}/{clip_id}")


@pytest.fixture
def padded(sample, tmp_path):
    """padded(bytes): the sample with so many zeros after it, so another clip."""

    def make(zeros: int):
        path = tmp_path / f"padded-{zeros}.mp4"
        path.write_bytes(sample.read_bytes() + b"\0" * zeros)
        return path

    return make


def texts_of(page, selector: str) -> list[str]:
    """What a part of the page says from now on, each time that it changes."""
    told: list[str] = []
    page.expose_function("tell", lambda text: told.append(text))
    page.evaluate(TELL_TEXTS, selector)
    return told


def slow_down(page, bytes_per_s: int) -> None:
    """The way to the server; -1 sets it free."""
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s},
    )


def arrive(page) -> None:
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)


def test_the_limits_stand_where_the_video_is_dropped_and_a_file_above_them_is_not_sent(home, tmp_path):
    told = home.locator(".limits").inner_text()
    for words in ("200 MB", "9.4 megapixels", "first 10 minutes", "H.264, H.265, AV1", "32 frames"):
        assert words in told

    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(201_000_000)  # a hole: nothing is written
    sent = []
    home.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    home.set_input_files("#file", large)
    assert home.locator(".error-text").inner_text() == "large.mp4 has 201 MB; the limit here is 200 MB."
    assert sent == []


def test_an_upload_tells_its_share_and_can_be_cancelled(home, server, padded):
    before = clips_of(server)
    slow_down(home, 400_000)
    told = texts_of(home, ".drop-send")
    home.set_input_files("#file", padded(4_000_000))
    home.wait_for_timeout(1500)
    shares = [int(re.search(r"(\d+) %", text).group(1)) for text in told]
    assert all(before <= after for before, after in pairwise(shares))
    assert any(0 < share < 100 for share in shares)
    assert re.search(r"^[\d.]+ [kM]B of 4\.\d MB$", home.locator(".send-bytes").inner_text())

    home.locator(".send-cancel").click()
    assert home.locator(".drop-title").is_visible()
    assert home.locator(".drop-send").is_hidden()
    home.wait_for_timeout(500)
    assert clips_of(server) == before


def test_work_is_in_sight_from_the_queue_to_the_end(home, server, padded):
    for zeros in (101, 102, 103):
        server.upload(padded(zeros))
    told = texts_of(home, ".drop .job")
    home.set_input_files("#file", padded(104))
    arrive(home)

    seen = "\n".join(told)
    assert re.search(r"place [23] in the queue", seen)
    assert "next in the queue" in seen
    stages = [words for words in ("Waiting for a free worker", "Running the network") if words in seen]
    assert len(stages) == 2
    assert [int(share) for share in re.findall(r"(\d+) %", seen)] == sorted(map(int, re.findall(r"(\d+) %", seen)))
    elapsed = [int(seconds) for seconds in re.findall(r"^(\d+) s$", seen, re.MULTILINE)]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] > 2


def test_the_same_file_is_the_same_clip_and_is_there_at_once(home, server, sample, sample_id):
    before = clips_of(server)
    told = texts_of(home, ".drop .job")
    home.set_input_files("#file", sample)
    home.wait_for_url(re.compile(sample_id), timeout=5_000)
    ready(home)

    assert told == []  # nothing was worked on
    assert clips_of(server) == before


def uneven(count: int) -> list[int]:
    """Time stamps in milliseconds, of a phone in the dark: 20 to 60 ms apart."""
    return [40 * n + 20 * (n % 2) for n in range(count)]


ODD = {  # file, how it is made, what the page says of it
    "rotated": ("a.mp4", {"numbers": range(80)}, ["120 × 160", "Rotated by 90 degrees, as the file asks."]),
    "uneven, 10 bits, B-frames, odd size, portrait": (
        "a.mkv",
        {"numbers": range(70), "pix_fmt": "yuv444p10le", "size": (101, 179), "times": uneven(70), "b_frames": 2},
        ["101 × 179", "32 frames from 0.00 to"],
    ),
    "one frame": (
        "a.mp4",
        {"numbers": range(1)},
        ["The video is short: one frame was read, the last is repeated 31 times.", "of 0.04 s"],
    ),
    "a short GIF": (
        "a.gif",
        {"codec": "gif", "pix_fmt": "rgb8", "numbers": range(11)},
        ["The video is short: 6 frames were read, the last is repeated 26 times."],
    ),
    "longer than is read": (
        "a.mp4",
        {"numbers": [n % 256 for n in range(640)], "rate": 1, "size": (64, 48), "b_frames": 0},
        ["The video is long: only the first 600 s of 640 s are considered.", "of 10 min"],
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_video_is_taken_and_what_is_odd_is_said(home, tmp_path, kind):
    name, choices, words = ODD[kind]
    film = write_film(tmp_path / name, **choices)
    home.set_input_files("#file", turned(film, CLOCKWISE) if kind == "rotated" else film)
    arrive(home)
    home.wait_for_timeout(300)

    assert ranks(home) == 20  # of the question that the page suggests
    facts = home.locator(".clip-facts").inner_text()
    for each in words:
        assert each in facts


def test_the_first_page_shows_arrows_soon_without_an_upload(home):
    """A second where nobody else computes; the arrows of a poster are the last thing that is painted on it."""
    home.add_init_script("""
      const fill = CanvasRenderingContext2D.prototype.fill;
      window.posters = new Map();
      CanvasRenderingContext2D.prototype.fill = function (...args) {
        if (this.canvas.closest('.poster')) window.posters.set(this.canvas, performance.now());
        return fill.apply(this, args);
      };""")
    home.reload()
    for _ in range(100):
        if home.evaluate("window.posters.size") == home.locator(".cards li").count() >= 3:
            break
        home.wait_for_timeout(50)
    home.wait_for_timeout(200)

    times_ms = home.evaluate("[...window.posters.values()]")
    assert len(times_ms) >= 3
    assert max(times_ms) < 2500
