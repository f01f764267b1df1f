"""The clip page clause by clause, on an ordinary host over plain http: what can be read, chosen, stepped and saved."""

from __future__ import annotations

import re

import pytest

from tests.browser.test_lens import arrows, draw_list, point_at, ranks, ready

pytestmark = pytest.mark.browser

KEYS = "async () => (await import('/static/js/keys.js')).KEYS"


@pytest.fixture
def lens(page, server, sample_id):
    """The clip page, nothing asked, looking through mixed_4c."""
    page.goto(f"{server.address}/clips/{sample_id}?block=mixed_4c&q=")
    ready(page, "mixed_4c")
    assert page.evaluate("window.isSecureContext") is False
    return page


def of(page, kind: str, **fields) -> list[dict]:
    found = [item for item in draw_list(page) if item["kind"] == kind]
    return [item for item in found if all(item[name] == value for name, value in fields.items())]


def frames(page) -> list[int]:
    return [item["frame"] for item in of(page, "frame")]


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(250)


def asked(page) -> str:
    return re.search(r"[?&]q=([^&]*)", page.url).group(1) if "q=" in page.url else ""


def write(page, selector: str, value: str) -> None:
    page.locator(selector).fill(value)
    page.locator(selector).press("Tab")
    page.wait_for_timeout(250)


# ------------------------------------------------------------------------------------------------- asking


def test_blocks_are_offered_by_name_with_grid_and_kind_and_a_click_chooses(lens, server, sample_id):
    told = server.http.get(f"/api/v1/clips/{sample_id}/blocks").json()["blocks"]
    kinds = {"embedded_gaussian": "embedded Gaussian"}

    offered = [label.inner_text().split("\n") for label in lens.locator(".rail label").all()]
    grids = [" × ".join(str(block["query_grid"][axis]) for axis in "thw") for block in told]
    assert offered == [[b["name"], f"{grid}, {kinds[b['kind']]}"] for b, grid in zip(told, grids, strict=True)]
    lens.locator(".rail label").nth(1).click()
    ready(lens, told[1]["name"])
    assert f"block={told[1]['name']}" in lens.url
    assert told[1]["name"] in lens.locator(".block-facts").inner_text()


def test_each_key_does_what_the_list_of_keys_says(lens):
    press(lens, "?")
    rows = lens.locator("dialog.keys tbody tr").all_inner_texts()
    listed = lens.evaluate(KEYS)
    assert [re.sub(r"\s", "", row) for row in rows] == [
        re.sub(" ", "", "".join([*keys, deed])) for keys, deed in listed
    ]
    press(lens, "Escape")
    assert lens.locator("dialog.keys").is_hidden()

    lens.locator(".stage").focus()
    for keys, place in {  # from the middle of the first frame
        ("ArrowRight",): "0.7.8",
        ("ArrowDown",): "0.8.7",
        ("ArrowLeft",): "0.7.6",
        ("ArrowUp",): "0.6.7",
        (".", "."): "4.7.7",
        (".", ".", ","): "2.7.7",
        ("ArrowRight", "Shift+ArrowRight"): "0.7.8-0.7.9",
    }.items():
        press(lens, *keys, "Enter")
        assert asked(lens) == place
        press(lens, "Enter")  # takes the pin away
        assert asked(lens) == ""
        press(lens, "Escape")
    press(lens, "]")
    ready(lens, "mixed_4e")
    press(lens, "[")
    ready(lens, "mixed_4c")


def test_escape_clears_every_question(lens):
    for x in (0.05, 0.12):
        point_at(lens, x, 0.5, click=True)
    lens.mouse.move(2, 2)
    assert asked(lens).count(",") == 1
    press(lens, "Escape")

    assert asked(lens) == ""
    assert arrows(lens) == []
    assert lens.locator(".pins .pin").count() == ranks(lens) == 0


def test_the_page_says_how_much_the_block_adds_to_its_input(lens):
    assert lens.locator(".asked-adds").inner_text() == ""
    point_at(lens, 0.12, 0.5, click=True)

    words = lens.locator(".asked-adds").inner_text()
    share = float(re.fullmatch(r"Here the block adds ([\d.]+) % of its input's length to it\.", words).group(1))
    assert 0 < share < 100
    lens.locator("#tab-steps").click()
    lens.wait_for_timeout(300)
    assert f"change xᵢ by {share:g} % of its length" in lens.locator(".step-words").nth(5).inner_text()


# ------------------------------------------------------------------------------------------------ showing


def test_the_strip_has_four_frames_eight_apart_or_as_many_as_are_wanted_and_arrows_run_across(lens):
    assert frames(lens) == [0, 8, 16, 24]
    point_at(lens, 0.12, 0.5, click=True)
    lens.mouse.move(2, 2)
    lens.wait_for_timeout(300)
    first = of(lens, "frame", frame=0)[0]
    right = first["x"] + first["size"]
    assert any(arrow["shown"] and arrow["from"]["x"] < right < arrow["to"]["x"] for arrow in arrows(lens))

    write(lens, "#count", "1")
    assert frames(lens) == [0]
    lens.locator("#all").click()
    lens.wait_for_timeout(300)
    assert frames(lens) == list(range(32))
    assert lens.locator(".out-of-sight").inner_text() == ""
    write(lens, "#count", "6")
    write(lens, "#step", "3")
    assert frames(lens) == [0, 3, 6, 9, 12, 15]


def test_the_five_likeliest_classes_stand_with_their_probabilities(lens, server, sample_id):
    told = server.http.get(f"/api/v1/clips/{sample_id}/predictions").json()["predictions"][:5]

    rows = [row.inner_text().split("\n") for row in lens.locator(".predictions li").all()]
    assert rows == [[one["label"], f"{100 * one['probability']:.1f} %"] for one in told]


def test_the_heat_map_is_nearest_by_default_and_as_opaque_as_chosen(lens):
    point_at(lens, 0.12, 0.5, click=True)
    lens.locator("label.toggle").click()
    lens.wait_for_timeout(300)
    assert {item["smooth"] for item in of(lens, "heat")} == {False}
    shot = lens.locator(".stage").screenshot()
    lens.locator("#opacity").fill("95")
    lens.wait_for_timeout(400)

    assert {item["opacity"] for item in of(lens, "heat")} == {0.95}
    assert "opacity=95" in lens.url
    assert lens.locator(".stage").screenshot() != shot


def test_dark_and_light_are_switched_by_the_button_and_kept(lens):
    def paper() -> str:
        return lens.evaluate("getComputedStyle(document.documentElement).colorScheme")

    assert paper() == "light"
    lens.locator("#theme").click()
    assert paper() == "dark"
    lens.reload()
    ready(lens, "mixed_4c")
    assert paper() == "dark"


def test_an_answer_is_said_aloud_and_stands_in_a_table_with_headings(lens):
    lens.locator(".stage").focus()
    press(lens, "ArrowRight", "Enter")
    lens.wait_for_timeout(300)

    live = lens.locator("[aria-live=polite]").inner_text()
    rows = lens.locator(".answers-table tbody tr")
    strongest, frames_ = rows.first.locator("td").nth(1).inner_text(), rows.first.locator("td").nth(5).inner_text()
    assert f"Strongest: {strongest}, frame {frames_}" in live
    assert lens.locator(".answers-table caption").inner_text() == "The 20 places it looks at most"
    assert lens.locator(".answers-table thead th[scope=col]").count() == rows.first.locator("td").count()


def test_the_six_cards_follow_the_hovered_question(lens):
    lens.locator("#tab-steps").click()
    values = set()
    for x in (0.05, 0.12, 0.2):
        lens.locator(".stage").scroll_into_view_if_needed()
        point_at(lens, x, 0.5)
        lens.wait_for_timeout(300)
        weight = lens.locator(".answers-table tbody tr").first.locator("td").nth(1).inner_text()
        assert lens.locator(".step-value").nth(4).inner_text() == weight
        values.add(lens.locator(".step-value").first.inner_text())
    assert len(values) == 3
    titles = lens.locator(".step-title").all_inner_texts()
    assert [title.split(". ")[-1] for title in titles] == ["Compare", "Scale", "Exponential", "Sum", "Weight", "Carry"]


# -------------------------------------------------------------------------------------------------- saving


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<")])
def test_a_figure_in_each_format_is_saved_and_says_where_it_comes_from(lens, server, sample_id, kind, begins):
    point_at(lens, 0.12, 0.5, click=True)
    lens.locator("#tab-take").click()
    lens.wait_for_selector(f"[data-figure={kind}][href*='q=']")
    with lens.expect_download() as download:
        lens.click(f"[data-figure={kind}]")

    content = download.value.path().read_bytes()
    assert content.startswith(begins)
    if kind == "svg":
        version = server.http.get("/version").json()
        weights = next(iter(version["models"]["default"].values()))
        for words in (server.clip(sample_id)["sha256"][:12], weights[:12], version["version"], "mixed_4c", asked(lens)):
            assert words in content.decode()


def test_a_gif_tells_its_progress_and_is_shown(lens):
    point_at(lens, 0.12, 0.5, click=True)
    write(lens, "#count", "7")  # a film of this test's own
    lens.locator("#tab-take").click()
    lens.wait_for_selector("[data-figure=svg][href*='q=']")
    told: list[str] = []
    lens.expose_function("tell", lambda text: told.append(text))
    lens.evaluate("""new MutationObserver(() => window.tell(document.querySelector('.film-words')?.textContent ?? ''))
      .observe(document.querySelector('.films'), {subtree: true, childList: true, characterData: true})""")
    lens.click("[data-film=gif]")
    lens.wait_for_selector(".films img", timeout=60_000)

    assert any(re.search(r"GIF: \d+ %$", text) for text in told), told
    lens.wait_for_timeout(300)
    assert lens.evaluate("document.querySelector('.films img').naturalWidth") > 200
