"""`python scripts/screenshots.py URL FOLDER`: every part of the page at three widths, light and dark, to be looked at.

URL is a running server with a clip that is done. The files are named part-width-theme.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

WIDTHS = (375, 1280, 1920)  # CSS pixels: a phone, a laptop, a desk
PINS = "q=1.6.6,5.2.9,3.8.8"
PARTS = {  # name -> (link, bench to open)
    "strip": (PINS, None),
    "whole-strip": (f"{PINS}&n=32&step=1", None),
    "heat": (f"{PINS}&heat=1", None),
    "player": (f"{PINS}&view=player&frame=9", None),
} | {name: (PINS, name) for name in ("ladder", "measures", "steps", "beside", "cut", "take")}


def shoot(page: Any, url: str, clip_id: str, folder: Path, suffix: str) -> None:
    page.goto(url)
    page.wait_for_timeout(2500)
    page.screenshot(path=folder / f"gallery-{suffix}", full_page=True)
    for name, (link, bench) in PARTS.items():
        page.goto(f"{url}/clips/{clip_id}?{link}")
        page.wait_for_selector("[data-ready]:not([data-ready=''])")
        if bench:
            page.locator(f"#tab-{bench}").click()
        page.wait_for_timeout(2500 if bench else 800)
        page.screenshot(path=folder / f"{name}-{suffix}", full_page=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    clips = httpx.get(f"{asked.url}/api/v1/clips").json()["clips"]
    clip_id = next(clip["id"] for clip in clips if clip["state"] == "done")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for width in WIDTHS:
            for theme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
                shoot(context.new_page(), asked.url, clip_id, asked.folder, f"{width}-{theme}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
