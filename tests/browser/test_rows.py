"""What a person can ask and see, row by row as the page offers it; all on an ordinary host over plain http."""

from __future__ import annotations

import re

import pytest

from tests.browser.test_lens import arrows, draw_list, ranks, ready

pytestmark = pytest.mark.browser

COLOURS = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


@pytest.fixture
def lens(page, server, sample_id):
    """The clip page on one question of mixed_4c, all frames on show, "How to ask" open; no secure context."""
    page.goto(f"{server.address}/clips/{sample_id}?block=mixed_4c&q=4.6.6&n=32&step=1")
    ready(page, "mixed_4c")
    assert page.evaluate("window.isSecureContext") is False
    page.locator(".how summary").click()
    return page


def change(page, selector: str, value: str) -> None:
    """Choose in a select, or write a number and leave it."""
    field = page.locator(selector)
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)
        field.press("Tab")
    page.wait_for_timeout(300)


def spans(page) -> list[tuple[int, int]]:
    return [(arrow["span"]["first"], arrow["span"]["last"]) for arrow in arrows(page)]


def test_the_slider_says_how_many_arrows_and_a_share_of_the_mass_as_few_as_hold_it(lens):
    change(lens, "#k", "7")
    assert ranks(lens) == len(arrows(lens)) == 7
    assert lens.locator("#k-shown").inner_text() == "7"

    lens.locator("#by-mass").check()
    change(lens, "#mass", "80")
    assert "mass=80" in lens.url
    held = sorted(arrow["mass"] for arrow in arrows(lens))
    assert held[-1] >= 0.8 > held[-2]
    assert "80 % of the weight" in lens.locator(".how-now").inner_text()


def test_the_neighbourhood_is_left_out(lens):
    change(lens, "#k", "100")
    lens.locator("#near").check()
    change(lens, "#near-cells", "2")
    change(lens, "#near-frames", "8")
    assert "near=2.8" in lens.url

    (first, last) = (16, 19)  # of the asked cell: time 4 of 8 in 32 frames; row 6 of 14 lies in row 3 of 7
    assert len(arrows(lens)) == 100
    for arrow in arrows(lens):
        apart = max(arrow["span"]["first"] - last, first - arrow["span"]["last"])
        assert apart > 8 or abs(arrow["cell"]["h"] - 3) > 2 or abs(arrow["cell"]["w"] - 3) > 2


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ("others", lambda first, last: last < 16 or first > 19),
        ("same", lambda first, last: first <= 19 and last >= 16),
    ],
)
def test_answers_lie_in_other_frames_or_in_the_same_as_chosen(lens, when, fits):
    change(lens, "#when", when)

    assert f"when={when}" in lens.url
    assert len(spans(lens)) == 20
    assert all(fits(*span) for span in spans(lens))


def test_answers_lie_in_a_range_of_frames(lens):
    change(lens, "#when", "range")
    change(lens, "#when-from", "24")
    change(lens, "#when-to", "29")

    assert "when=24-29" in lens.url
    assert set(spans(lens)) == {(24, 27), (28, 31)}


def test_a_region_is_asked_by_shift_and_drag_or_by_keys_and_pooled_as_chosen(lens):
    lens.keyboard.press("Escape")
    frame = next(item for item in draw_list(lens) if item["kind"] == "frame")
    stage, cell = lens.locator(".stage").bounding_box(), frame["size"] / 14
    places = [(stage["x"] + frame["x"] + (w + 0.5) * cell, stage["y"] + frame["y"] + (h + 0.5) * cell)
              for w, h in ((3, 4), (5, 5))]  # fmt: skip
    lens.keyboard.down("Shift")
    lens.mouse.move(*places[0])
    lens.mouse.down()
    lens.mouse.move(*places[1], steps=4)
    lens.mouse.up()
    lens.keyboard.up("Shift")
    lens.wait_for_timeout(300)
    assert "q=0.4.3-0.5.5" in lens.url
    by_mouse = arrows(lens)

    change(lens, "#pool", "each")
    starts = {tuple(arrow["tail"].values()) for arrow in arrows(lens)}
    assert len(starts) > 1
    assert starts <= {(0, h, w) for h in (4, 5) for w in (3, 4, 5)}
    change(lens, "#pool", "mean")

    lens.keyboard.press("Escape")
    lens.locator(".stage").focus()
    for key in ["ArrowUp"] * 3 + ["ArrowLeft"] * 4 + ["Shift+ArrowDown"] + ["Shift+ArrowRight"] * 2 + ["Enter"]:
        lens.keyboard.press(key)
    lens.mouse.move(2, 2)
    lens.wait_for_timeout(400)
    assert "q=0.4.3-0.5.5" in lens.url
    assert arrows(lens) == by_mouse


def test_eight_questions_are_pinned_each_in_its_own_colour_and_shape_and_no_ninth(lens):
    lens.keyboard.press("Escape")
    lens.locator(".stage").focus()
    for n in range(9):
        lens.keyboard.press(("ArrowRight", "ArrowDown")[n % 2])
        lens.keyboard.press("Enter")
    lens.wait_for_timeout(400)

    marks = [item for item in draw_list(lens) if item["kind"] == "mark"]
    assert len(marks) == len({mark["colour"] for mark in marks}) == len({mark["shape"] for mark in marks}) == 8
    assert lens.locator(".pins .pin").count() == 8
    assert "8 questions are pinned" in lens.locator(".notices").inner_text()
    assert len({arrow["question"] for arrow in arrows(lens)}) == 8 + 1  # and the cursor's, on the ninth place
    lens.locator(".pins .pin-remove").first.click()
    lens.wait_for_timeout(300)
    assert lens.locator(".pins .pin").count() == 7


def test_an_arrow_tells_its_numbers_under_the_pointer(lens):
    arrow = next(arrow for arrow in arrows(lens) if arrow["rank"] == 3)
    lens.locator(".answers-table tbody tr").nth(2).hover()
    lens.wait_for_timeout(200)
    from_table = lens.locator(".tip").inner_text()
    lens.locator(".stage").hover(position=arrow["to"])
    lens.wait_for_timeout(300)

    told = lens.locator(".tip").inner_text()
    assert told == from_table
    t, h, w = arrow["cell"].values()
    row = lens.locator(".answers-table tbody tr").nth(2).locator("td").all_inner_texts()
    for part in (row[1], f"rank 3, sum so far {row[2]}", row[3], row[4], f"cell t {t}, h {h}, w {w}"):
        assert part in told


def test_the_tail_has_a_cell_of_the_queries_the_head_of_the_keys_on_every_frame_that_it_covers(lens):
    size = next(item["size"] for item in draw_list(lens) if item["kind"] == "frame")
    cells = [item for item in draw_list(lens) if item["kind"] == "cell"]
    tails = [cell for cell in cells if cell["role"] == "tail"]
    heads = [cell for cell in cells if cell["role"] == "head"]

    assert [tail["frame"] for tail in tails] == [16, 17, 18, 19]
    assert {round(size / tail["box"]["width"]) for tail in tails} == {14}
    assert {round(size / head["box"]["height"]) for head in heads} == {7}
    assert len(heads) == 4 * len(arrows(lens))


def test_the_legend_names_hue_width_dashes_and_the_scale_of_the_heat_map(lens):
    legend = lens.locator(".legend")
    seconds = lens.evaluate("JSON.parse(document.getElementById('clip').textContent).frames.times_s.at(-1)")
    for words in ("hue: time difference", "width: weight", "dashes: backwards in time", f"+{seconds:.1f} s"):
        assert words in legend.inner_text()
    for drawn in (".hue", ".thick", ".dashed"):
        assert legend.locator(drawn).evaluate(COLOURS) > 5

    assert not legend.locator(".heat-legend").is_visible()
    lens.locator("label.toggle").click()
    lens.wait_for_timeout(300)
    highest = lens.locator(".answers-table tbody tr").first.locator("td").nth(1).inner_text()
    assert legend.locator(".heat-high").inner_text() == highest


def test_a_reload_finds_the_work_again_which_can_be_cancelled_and_deleted(page, server, sample, tmp_path):
    video = tmp_path / "to-cancel.mp4"
    video.write_bytes(sample.read_bytes() + b"\0" * 64)
    clip_id = server.upload(video).json()["id"]
    page.goto(f"{server.address}/clips/{clip_id}")
    page.reload()
    page.locator(".job-cancel").click()
    page.wait_for_selector(".failure:visible")
    assert "cancelled" in page.locator(".failure h2").inner_text()

    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#delete").click()
    page.wait_for_url(re.compile(rf":{server.port}/$"))
    assert server.http.get(f"/api/v1/clips/{clip_id}").status_code == 404


def test_a_file_dropped_on_the_page_is_uploaded(page, server):
    page.goto(f"{server.address}/")
    data = page.evaluate_handle(
        """async (url) => {
          const bytes = await (await fetch(url)).arrayBuffer();
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes, new Uint8Array(80)], 'dropped.gif', {type: 'image/gif'}));
          return transfer;
        }""",
        "/static/favicon.svg",
    )
    page.dispatch_event(".drop", "dragenter", {"dataTransfer": data})
    page.dispatch_event(".drop", "drop", {"dataTransfer": data})

    page.wait_for_selector(".drop-error:visible", timeout=20_000)  # it went up, and is no video
    assert len(page.locator(".error-text").inner_text()) > 20


def weights(page) -> list[str]:
    return [row.split("\t")[1] for row in page.locator(".answers-table tbody tr").all_inner_texts()]


@pytest.mark.parametrize(
    ("choose", "link", "asked", "words"),
    [
        (lambda page: page.locator("#value").select_option("contribution"), "value=contribution",
         {"value": "contribution"}, "contributions"),
        (lambda page: page.locator("#minus").check(), "minus=1", {"minus_mean": "true"}, "minus the mean row"),
    ],
)  # fmt: skip
def test_contributions_and_the_mean_row_change_arrows_and_link_and_are_those_of_the_api(
    lens, server, sample_id, choose, link, asked, words
):
    before, numbers = arrows(lens), weights(lens)
    choose(lens)
    lens.wait_for_timeout(400)

    assert link in lens.url
    assert words in lens.locator(".how-now").inner_text()
    assert [arrow["weight"] for arrow in arrows(lens)] != [arrow["weight"] for arrow in before]
    assert weights(lens) != numbers
    frame = next(item["frame"] for item in draw_list(lens) if item["kind"] == "cell" and item["role"] == "tail")
    query = {"block": "mixed_4c", "frame": frame, "x": 6.5 / 14, "y": 6.5 / 14} | asked
    told = server.http.get(f"/api/v1/clips/{sample_id}/arrows", params=query).json()["arrows"]
    drawn = sorted(arrows(lens), key=lambda arrow: arrow["rank"])
    assert [arrow["cell"] for arrow in drawn] == [arrow["end"]["cell"] for arrow in told]
    assert [arrow["weight"] for arrow in drawn] == pytest.approx([arrow["weight"] for arrow in told], rel=2e-3)

    lens.reload()
    ready(lens, "mixed_4c")
    assert sorted(arrows(lens), key=lambda arrow: arrow["rank"]) == drawn


def fail_once(page, answer) -> list[str]:
    """The first upload is answered by `answer(route)`, those after it by the server; the bodies' names as they come."""
    sent = []

    def handle(route):
        sent.append(route.request.url.split("filename=")[1].split("&")[0])
        answer(route) if len(sent) == 1 else route.continue_()

    page.route(lambda url: "/api/v1/clips?filename=" in url, handle)
    return sent


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda route: route.abort("connectionreset"), "cannot be reached"),
        (lambda route: route.fulfill(status=503, headers={"Retry-After": "7"}, json={
            "error": {"code": "Busy", "message": "The queue is full.", "details": {}}}), "full. Try again in 7 s"),
        (lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"), "answered 502"),
    ],
    ids=["lost", "refused", "proxy"],
)  # fmt: skip
def test_after_an_upload_that_failed_try_again_sends_the_same_file(chromium, server, sample, sample_id, answer, words):
    page = chromium.new_page()  # the failure is on the console too, where the page fixture allows nothing
    sent = fail_once(page, answer)
    page.goto(server.url)
    page.set_input_files("#file", sample)
    page.wait_for_selector(".drop-error:visible")
    assert words in page.locator(".error-text").inner_text()

    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(re.compile(rf"/clips/{sample_id}"))
    assert sent == [sample.name] * 2
    page.close()
