"""The key in a real browser: asked for once, then everything works: pages, events, uploads."""

from __future__ import annotations

import json

import pytest

from tests.server import LensServer
from tests.trust.little import write_little_model

pytestmark = pytest.mark.browser

KEY = "correct horse battery staple"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    models = json.dumps([str(write_little_model(folder / "little.safetensors"))])
    server = LensServer(folder / "data", models=models, samples="false", api_key=KEY).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def visitor(chromium):
    """A fresh page; that the page which asks for the key has status 401 is no complaint."""
    context = chromium.new_context(viewport={"width": 375, "height": 700})
    yield context.new_page()
    context.close()


def test_the_key_is_asked_once_then_a_video_is_uploaded_followed_and_shown(visitor, locked, sample):
    address = f"http://lens.test:{locked.port}/"  # plain http, where browsers send no Sec-Fetch-Site
    visitor.goto(address)
    assert visitor.get_by_label("Key").evaluate("input => input === document.activeElement")
    assert visitor.evaluate("document.documentElement.scrollWidth <= innerWidth")

    visitor.get_by_label("Key").fill("not the key, but long")
    visitor.get_by_role("button", name="Go on").click()
    assert visitor.get_by_role("alert").inner_text() == "That is not the key."
    visitor.get_by_label("Key").fill(KEY)
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(address)
    visitor.locator("#file").set_input_files(sample)

    visitor.wait_for_url("**/clips/*")
    visitor.wait_for_selector(".lens")
    assert visitor.evaluate("document.cookie") == ""


def test_a_link_on_another_site_leads_in_without_asking_again(visitor, locked):
    """Strict cookies stay behind on the way from another site; our own page then asks with them."""
    address = f"http://lens.test:{locked.port}/"
    visitor.goto(address)
    visitor.get_by_label("Key").fill(KEY)
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(address)

    visitor.goto("data:text/html," + f"<a id=link href='{address}?from=elsewhere'>a link</a>")
    with visitor.expect_response(lambda response: "from=elsewhere" in response.url) as first:
        visitor.click("#link")

    assert first.value.status == 401
    visitor.wait_for_selector("form.drop")
    assert visitor.url == f"{address}?from=elsewhere"
