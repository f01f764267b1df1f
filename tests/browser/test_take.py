"""Taking a question away: five notations that all give the same answer, data files, and a page that needs no server."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.browser.test_lens import arrows, ready

pytestmark = pytest.mark.browser

QUESTIONS = [
    "block=mixed_4c&q=4.6.6&k=12",
    "block=mixed_4e&q=1.3.4-1.5.6&dir=reverse&pool=max&mass=40",
    "block=mixed_3c&q=9.20.3&near=2.4&when=others&value=contribution&minus=1",
    "block=mixed_4b&q=0.2.2-0.3.3,3.5.9-3.6.9&on=1&pool=each&when=0-15",
]


@pytest.fixture
def take(page, server, sample_id, request):
    """The clip page on a question, with the bench "Take away" open."""
    page.goto(f"{server.url}/clips/{sample_id}?{request.param}")
    ready(page, request.param.split("block=")[1].split("&")[0])
    page.locator("#tab-take").click()
    page.wait_for_selector("[data-figure=svg][href]")  # set when the bench is drawn
    return page


def written(page, name: str) -> str:
    return page.locator(f"#as-{name}").input_value()


def ends(told: list[dict]) -> list[tuple]:
    return [(*arrow["end"]["cell"].values(), round(arrow["weight"], 6)) for arrow in told]


@pytest.mark.parametrize("take", QUESTIONS, indirect=True)
def test_one_question_in_five_notations_has_one_answer(take, server, sample, sample_id, tmp_path):
    told = server.http.post(
        f"/api/v1/clips/{sample_id}/arrows", json={"queries": [json.loads(written(take, "json"))]}
    ).json()["answers"][0]["arrows"]
    assert len(told) > 3

    command = written(take, "curl")
    by_curl = json.loads(subprocess.run(["bash", "-c", f"{command} --silent"], capture_output=True, check=True).stdout)
    assert ends(by_curl["arrows"]) == ends(told)

    def near(found: list[tuple]) -> bool:
        return len(found) == len(told) and all(
            one[:3] == other[:3] and one[3] == pytest.approx(other[3], rel=1e-3)
            for one, other in zip(found, ends(told), strict=True)
        )

    bin_folder = Path(sys.executable).parent
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    run = {"cwd": sample.parent, "env": environment, "capture_output": True, "check": True, "text": True}
    by_command = json.loads(subprocess.run(["bash", "-c", f"{written(take, 'cli')} --json"], **run).stdout)
    assert near(ends(by_command["arrows"]))

    code = written(take, "python").replace("print(arrow)", "print(*vars(arrow.end).values(), arrow.weight)")
    printed = subprocess.run([sys.executable, "-c", code], **run).stdout.split("\n")[:-1]
    assert near([(*map(int, line.split()[:3]), float(line.split()[3])) for line in printed])

    take.goto(written(take, "link"))
    ready(take, by_command["block"])
    active = [item for item in arrows(take) if item["question"] == f"pin{take.evaluate('lens.state().active') + 1}"]
    drawn = sorted(active, key=lambda item: item["rank"])
    assert near([(*item["cell"].values(), item["weight"]) for item in drawn])


@pytest.mark.parametrize("take", QUESTIONS[:1], indirect=True)
def test_copying_works_on_plain_http(take, server, sample_id):
    take.goto(f"http://lens.test:{server.port}/clips/{sample_id}?{QUESTIONS[0]}")
    ready(take, "mixed_4c")
    take.locator("#tab-take").click()
    take.wait_for_selector("[data-figure=svg][href]")  # set when the bench is drawn
    take.get_by_label("Copy as curl").click()
    take.get_by_text("Copied", exact=True).wait_for(timeout=10_000)

    assert take.evaluate("window.isSecureContext") is False
    take.locator("#count").click()
    take.keyboard.press("Control+A")
    take.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    take.locator("#pasted").focus()  # a field of its own: the page writes its own ones anew whenever it draws
    take.keyboard.press("Control+V")
    assert take.locator("#pasted").input_value().startswith("curl 'http://lens.test")


@pytest.mark.parametrize("take", QUESTIONS[2:3], indirect=True)
def test_the_data_behind_the_question_is_read_by_others(take, server):
    def fetched(name: str):
        return server.http.get(take.locator(f'[data-export="{name}"]').get_attribute("href"))

    told = fetched("arrows").json()["arrows"]
    lines = list(csv.DictReader(io.StringIO(fetched("arrows.csv").text)))
    assert [float(line["weight"]) for line in lines] == pytest.approx([arrow["weight"] for arrow in told])
    assert len(list(csv.reader(io.StringIO(fetched("row.csv").text)))) == 16 * 14 * 14 + 1
    with np.load(io.BytesIO(fetched("answer.npz").content), allow_pickle=False) as read:
        assert read["values"].shape == (16, 14, 14)
        assert read["values"][tuple(read["end"][0])] == pytest.approx(told[0]["weight"])
    with np.load(io.BytesIO(fetched("features").content), allow_pickle=False) as read:
        assert read["theta"].shape[:3] == (16, 28, 28)
        assert read["carried"].shape == (16, 14, 14)


def test_the_page_to_take_home_answers_from_a_file_with_the_network_off(page, chromium, server, sample_id, tmp_path):
    question = "block=mixed_4c&q=4.6.6"
    page.goto(f"{server.url}/clips/{sample_id}?{question}")
    ready(page, "mixed_4c")
    page.locator("#tab-take").click()
    page.wait_for_selector("[data-home][href]:visible")
    with page.expect_download() as download:
        page.locator("[data-home]").click()
    download.value.save_as(tmp_path / "home.html")
    assert (tmp_path / "home.html").stat().st_size < 12_000_000
    told = arrows(page)

    context = chromium.new_context(offline=True)
    home, complaints, requests = context.new_page(), [], []
    home.on("console", lambda message: complaints.append(message.text))
    home.on("pageerror", lambda error: complaints.append(str(error)))
    home.on("request", lambda request: requests.append(request.url))
    home.goto((tmp_path / "home.html").as_uri())
    ready(home, "mixed_4c")
    found = arrows(home)
    assert [arrow["cell"] for arrow in found] == [arrow["cell"] for arrow in told]
    assert [arrow["weight"] for arrow in found] == pytest.approx([arrow["weight"] for arrow in told], rel=0.02)

    home.keyboard.press("Escape")
    home.get_by_text("mixed_3c", exact=False).first.click()
    ready(home, "mixed_3c")
    box = home.locator(".stage").bounding_box()
    home.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"])
    home.wait_for_timeout(300)
    assert len(arrows(home)) == 20
    assert complaints == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    context.close()


def test_a_page_that_gets_too_large_or_names_no_block_is_refused_in_words(server, sample_id):
    found = server.http.get(f"/api/v1/clips/{sample_id}/home.html", params={"blocks": "mixed_9"})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "UnknownBlock")
    assert server.http.get(f"/api/v1/clips/{sample_id}/home.html").status_code == 422
