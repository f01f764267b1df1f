"""The main job in a real Chromium: a video, a click, twenty arrows, a link that says it all."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser


def ready(page, block: str = "mixed_4f") -> None:
    """The block's features are here and drawn."""
    page.wait_for_selector(f'[data-ready="{block}"]', timeout=20_000)
    page.wait_for_timeout(150)


def draw_list(page) -> list[dict]:
    return page.evaluate("window.lens.drawList()")


def arrows(page) -> list[dict]:
    return [item for item in draw_list(page) if item["kind"] == "arrow"]


def ranks(page) -> int:
    return page.locator(".answers-table tbody tr").count()


def point_at(page, x: float, y: float, *, click: bool = False) -> None:
    """Move to fractions of the stage, over the first frame where x < 0.25; maybe click."""
    box = page.locator(".stage").bounding_box()
    place = (box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.move(*place)
    if click:
        page.mouse.click(*place)
    page.wait_for_timeout(200)


@pytest.fixture
def lens(page, server, sample_id):
    """The clip page of a sample, loaded, without the question it suggests."""
    page.goto(f"{server.url}/clips/{sample_id}")
    ready(page)
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    return page


def upload_through_the_page(page, server, video):
    page.goto(server.url)
    page.set_input_files("#file", video)
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)


def test_upload_progress_click_twenty_arrows_and_the_link_draws_them_again(page, server, sample, tmp_path):
    video = tmp_path / "mine.mp4"
    video.write_bytes(sample.read_bytes() + b"\0" * 16)  # other bytes, so another clip
    stages = []
    page.expose_function("noticed", lambda text: stages.append(text))
    page.goto(server.url)
    page.evaluate("""new MutationObserver(() => {
      const job = document.querySelector('.job');
      if (job && !job.hidden) window.noticed(job.textContent);
    }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true})""")
    page.set_input_files("#file", video)
    page.wait_for_url(re.compile(r"/clips/\w+"), timeout=60_000)
    ready(page)
    assert len(set(stages)) > 2  # the stages were seen, not only the end

    page.keyboard.press("Escape")
    point_at(page, 0.12, 0.5, click=True)
    page.mouse.move(5, 5)
    page.wait_for_timeout(400)
    assert ranks(page) == 20
    drawn = draw_list(page)
    assert "q=" in page.url

    page.goto(page.url)
    ready(page)
    assert draw_list(page) == drawn
    server.http.delete(f"/api/v1/clips/{page.url.split('/clips/')[1][:24]}")


def test_the_page_shows_what_the_network_says(page, server, desk):
    upload_through_the_page(page, server, desk / "media" / "clips" / "juggle.mp4")

    first = page.locator(".predictions li").first.inner_text()
    assert "juggling soccer ball" in first
    assert float(re.search(r"([\d.]+)\s*%", first).group(1)) >= 90


def test_hovering_draws_arrows_and_asks_the_server_nothing(lens):
    requests = []
    lens.on("request", lambda request: requests.append(request.url))
    seen = set()
    for step in range(12):
        point_at(lens, 0.02 + step * 0.018, 0.3)
        assert arrows(lens)
        seen.add(str(arrows(lens)))

    assert len(seen) > 6
    assert requests == []


def test_the_twenty_arrows_are_those_of_the_api(lens, server, sample_id):
    point_at(lens, 0.12, 0.5, click=True)
    t, h, w = map(int, re.search(r"q=(\d+)\.(\d+)\.(\d+)", lens.url).groups())

    query = {"block": "mixed_4f", "frame": t * 4, "x": (w + 0.5) / 14, "y": (h + 0.5) / 14}
    told = server.http.get(f"/api/v1/clips/{sample_id}/arrows", params=query).json()["arrows"]

    rows = lens.locator(".answers-table tbody tr").all_inner_texts()
    shown = [tuple(map(int, re.findall(r"\d+", row.split("\t")[-1]))) for row in rows]
    assert shown == [tuple(arrow["end"]["cell"].values()) for arrow in told]


def test_a_click_on_a_pin_takes_it_away_and_back_is_undo(lens):
    point_at(lens, 0.12, 0.5, click=True)
    pinned = lens.url
    assert "q=" in pinned
    point_at(lens, 0.18, 0.3, click=True)
    assert lens.url.split("q=")[1].count(",") + lens.url.split("q=")[1].count("%2C") == 1

    lens.go_back()
    lens.wait_for_timeout(300)
    assert lens.url == pinned


def test_the_keyboard_alone_asks_pins_and_changes_block(lens):
    lens.locator(".stage").focus()
    for key in ("ArrowRight", "ArrowDown", ".", "Enter"):
        lens.keyboard.press(key)
    lens.wait_for_timeout(300)
    assert "q=" in lens.url
    assert ranks(lens) == 20

    lens.keyboard.press("[")
    ready(lens, "mixed_4e")
    assert "block=mixed_4e" in lens.url
    lens.keyboard.press("?")
    assert lens.locator("dialog.keys").is_visible()


def test_everything_can_be_reached_with_tab(lens):
    reached = set()
    lens.locator("body").click(position={"x": 2, "y": 2})
    for _ in range(60):
        lens.keyboard.press("Tab")
        reached.add(lens.evaluate("document.activeElement.id || document.activeElement.className"))

    assert {"k", "heat", "stage", "show-all", "count", "all"} <= reached | {"show-all"}


def test_reverse_asks_among_the_keys(lens):
    point_at(lens, 0.12, 0.5, click=True)
    lens.get_by_text("Who looks at it?").click()
    lens.wait_for_timeout(300)

    assert "dir=reverse" in lens.url
    _t, h, w = map(int, re.search(r"q=(\d+)\.(\d+)\.(\d+)", lens.url).groups())
    assert h < 7
    assert w < 7
    assert ranks(lens) == 20


def test_the_heat_map_and_the_player_are_drawn(lens):
    point_at(lens, 0.12, 0.5, click=True)
    before = draw_list(lens)
    lens.locator("label.toggle").click()
    lens.wait_for_timeout(300)
    assert len(draw_list(lens)) > len(before)

    lens.get_by_text("Player", exact=True).click()
    lens.wait_for_timeout(300)
    lens.locator("#on").click()
    lens.wait_for_timeout(300)
    assert "view=player" in lens.url
    assert "frame=1" in lens.url


def test_an_unknown_key_in_the_link_is_ignored_with_a_note(page, server, sample_id):
    page.goto(f"{server.url}/clips/{sample_id}?zoom=3&k=5")
    ready(page)

    assert "zoom" in page.locator(".notices").inner_text()
    page.wait_for_timeout(300)
    assert ranks(page) == 5


def test_an_ordinary_host_on_plain_http_has_all_of_it(page, server, sample_id):
    """lens.test is no secure context: no clipboard, no crypto.randomUUID, no service worker."""
    page.goto(f"http://lens.test:{server.port}/clips/{sample_id}")
    ready(page)
    assert page.evaluate("window.isSecureContext") is False
    page.keyboard.press("Escape")

    point_at(page, 0.12, 0.5, click=True)
    assert ranks(page) == 20


def test_a_file_that_is_no_video_is_refused_in_words(page, server, tmp_path):
    (tmp_path / "notes.mp4").write_bytes(b"not a video" * 50)
    page.goto(server.url)
    page.set_input_files("#file", tmp_path / "notes.mp4")

    page.wait_for_selector(".drop-error:visible", timeout=20_000)
    assert "notes" not in page.locator("h1").inner_text()
    assert len(page.locator(".error-text").inner_text()) > 20


@pytest.mark.parametrize("width", [375, 1280, 1920])
def test_nothing_is_wider_than_the_window(chromium, server, sample_id, width):
    page = chromium.new_page(viewport={"width": width, "height": 900})
    for path in ("/", f"/clips/{sample_id}"):
        page.goto(server.url + path)
        page.wait_for_timeout(800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_page_that_loses_its_width_complains_of_nothing_and_draws_again(lens):
    before = draw_list(lens)
    lens.evaluate("document.querySelector('.view').style.display = 'none'")
    lens.wait_for_timeout(300)
    lens.evaluate("document.querySelector('.view').style.display = ''")
    lens.wait_for_timeout(300)

    assert draw_list(lens) == before  # the console is read by the fixture


def test_without_javascript_the_form_uploads(chromium, server, sample, sample_id):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    page.set_input_files("#file", sample)
    page.get_by_role("button", name="Upload").click()

    page.wait_for_url(re.compile(rf"/clips/{sample_id}"))
    context.close()
