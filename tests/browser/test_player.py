"""The player in a real Chromium: play, pause, scrub; and what a moving pointer leaves alone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.browser.test_lens import arrows, draw_list, ready

pytestmark = pytest.mark.browser


def opened(page, server, clip_id: str, link: str) -> None:
    page.goto(f"{server.address}/clips/{clip_id}?block=mixed_4c&{link}")
    ready(page, "mixed_4c")


@pytest.fixture
def player(page, server, sample_id):
    """The clip page in the player on frame 30, one question pinned at the clip's start."""
    opened(page, server, sample_id, "q=1.6.6&view=player&frame=30")
    return page


def frame(page) -> int:
    """The one picture that is drawn."""
    return next(item["frame"] for item in draw_list(page) if item["kind"] == "frame")


def test_play_runs_through_the_frames_at_their_own_speed_round_the_end_and_pauses(player):
    assert frame(player) == 30
    player.evaluate("""() => {
      window.shown = [];
      const look = () => {
        const {frame} = window.lens.drawList().find(({kind}) => kind === 'frame');
        if (window.shown.at(-1)?.frame !== frame) window.shown.push({frame, at: performance.now()});
        requestAnimationFrame(look);
      };
      look();
    }""")
    player.get_by_role("button", name="Play", exact=True).click()
    for _ in range(100):  # the page's policy forbids wait_for_function, which evaluates a string
        if player.evaluate("window.shown.length") >= 7:
            break
        player.wait_for_timeout(50)
    player.get_by_role("button", name="Pause").click()
    player.wait_for_timeout(100)

    shown = player.evaluate("window.shown")
    order = [moment["frame"] for moment in shown]
    assert order[:3] == [30, 31, 0]  # round the end
    assert all((after - before) % 32 in (1, 2) for before, after in pairwise(order))
    pace_ms = (shown[-1]["at"] - shown[1]["at"]) / ((order[-1] - order[1]) % 32)
    filmed_ms = player.evaluate("(f => 1000 * (f.at(-1) - f[0]) / (f.length - 1))"
                                "(JSON.parse(document.querySelector('#clip').textContent).frames.times_s)")  # fmt: skip
    assert pace_ms == pytest.approx(filmed_ms, rel=0.3)

    still = frame(player)
    assert still == order[-1]
    assert f"frame {still}," in player.locator(".now").inner_text()
    player.wait_for_timeout(400)
    assert frame(player) == still


def test_the_scrubber_shows_its_frame_and_its_arrows_strong(player):
    for wanted in (5, 20):
        player.locator("#frame").fill(str(wanted))
        player.wait_for_timeout(300)
        assert frame(player) == wanted
        assert f"frame={wanted}" in player.url
        assert f"frame {wanted}," in player.locator(".now").inner_text()
        strong = [a["opacity"] for a in arrows(player) if a["span"]["first"] <= wanted <= a["span"]["last"]]
        faint = [a["opacity"] for a in arrows(player) if not a["span"]["first"] <= wanted <= a["span"]["last"]]
        assert min(strong, default=1) > max(faint, default=0)
        assert faint


def test_a_drag_along_the_time_line_scrubs(player):
    player.locator(".timeline").scroll_into_view_if_needed()
    box = player.locator(".timeline").bounding_box()
    middle = box["y"] + box["height"] / 2
    seen = []
    player.mouse.move(box["x"] + 2, middle)
    player.mouse.down()
    for at in (0, 8, 16, 31):
        player.mouse.move(box["x"] + (at + 0.5) * box["width"] / 32, middle, steps=3)
        player.wait_for_timeout(200)
        seen.append(frame(player))
    player.mouse.up()

    assert seen == [0, 8, 16, 31]


def test_a_moving_pointer_paints_its_question_alone(page, server, sample_id):
    """Pictures and resting pins lie still: to paint eight pins takes longer than a frame."""
    opened(page, server, sample_id, "q=1.6.6,5.2.9,3.8.8&n=32&step=1")
    page.evaluate("""() => {
      window.painted = [];
      const hand = ImageBitmapRenderingContext.prototype.transferFromImageBitmap;
      ImageBitmapRenderingContext.prototype.transferFromImageBitmap = function (bitmap) {
        window.painted.push(this.canvas.className);
        return hand.call(this, bitmap);
      };
    }""")
    box = page.locator(".stage").bounding_box()
    seen = set()
    for n in range(40):  # over pictures, captions and gaps
        page.mouse.move(box["x"] + 300 + 9 * n, box["y"] + 20 + 7 * n)
        page.wait_for_timeout(30)
        seen.add(str([arrow for arrow in arrows(page) if arrow["question"] == "cursor"]))
    assert len(seen) > 5
    assert page.evaluate("window.painted") == ["chosen"]  # once, when it went to rest


def test_a_number_that_was_typed_and_not_taken_gives_way_to_the_true_one(page, server, sample_id):
    opened(page, server, sample_id, "q=1.6.6")
    page.locator("#count").fill("99")
    page.locator("#count").press("Enter")  # taken as 32; who writes is not interrupted
    page.wait_for_timeout(300)
    page.locator("#count").press("Tab")
    page.wait_for_timeout(300)

    assert page.locator("#count").input_value() == "32"
