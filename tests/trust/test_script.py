"""S8 in a real browser: markup in a label and in a file name is text on every page that shows it."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.server import LensServer
from tests.trust.conftest import API
from tests.trust.little import BLOCK, write_little_model

EVIL = "<img src=x onerror=\"document.title='pwned'\">"


def test_s8_markup_in_labels_and_names_is_shown_as_text_and_runs_nothing(page, tmp_path, film):
    model = write_little_model(tmp_path / "little.safetensors", (EVIL, f"</script>{EVIL}"))
    server = LensServer(tmp_path / "data", models=json.dumps([str(model)]), samples="false").start()
    try:
        answer = server.http.post(API, params={"filename": EVIL}, content=film.read_bytes())
        clip_id = answer.json()["id"]
        assert server.finish(clip_id)["state"] == "done"
        taken_home = tmp_path / "home.html"
        taken_home.write_bytes(server.http.get(f"{API}/{clip_id}/home.html", params={"blocks": BLOCK}).content)
        for address in (f"{server.url}/clips/{clip_id}", server.url, taken_home.as_uri()):
            page.goto(address)
            expect(page.get_by_text("<img src=x").first).to_be_visible()
            assert page.locator("img[src=x]").count() == 0
            assert page.title() != "pwned"
    finally:
        server.stop()
