"""`python -m benchmarks.hover [VIDEO]`: what one move of the pointer costs the page, in Chromium by software rendering.

A move is timed from its first event until its frame is painted: a message posted inside an animation frame arrives
after that frame's style, layout and paint. The wait for the screen's next refresh is not in it. The page is at rest
first: the strip of a whole new video is decoded when its page is first opened, which takes the cores for seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.server import ROOT, LensServer

MOVES = 300
PACE_MS = 40  # between moves: 25 a second
PINS = ",".join(f"{t}.{(5 * t) % 14}.{(3 * t + 2) % 14}" for t in range(8))
STRIPS = {"4 frames": "q=", "32 frames, 8 pins": f"q={PINS}&n=32&step=1"}
GRIDS = {"mixed_3c": "28x28 cells", "mixed_4c": "14x14 cells"}

WATCH_MOVES = """() => {
  window.moves_ms = [];
  const ask = window.requestAnimationFrame.bind(window);
  let moved = null;
  window.addEventListener('pointermove', () => { moved ??= performance.now(); }, {capture: true});
  window.requestAnimationFrame = (draw) => ask((now) => {
    const begin = moved, channel = new MessageChannel();
    moved = null;
    channel.port1.onmessage = () => { if (begin !== null) window.moves_ms.push(performance.now() - begin); };
    draw(now);
    channel.port2.postMessage(0);
  });
}"""


def wander(page: Any) -> None:
    """Moves all over the film strip."""
    box = page.locator(".stage").bounding_box()
    for n in range(MOVES):
        page.mouse.move(box["x"] + 5 + (n * 37) % (box["width"] - 10), box["y"] + 5 + (n * 23) % (box["height"] - 10))
        page.wait_for_timeout(PACE_MS)


def spread(values: list[float]) -> str:
    return f"p50 {np.percentile(values, 50):.1f} ms, p95 {np.percentile(values, 95):.1f} ms"


def hover(url: str, clip_id: str) -> dict[str, str]:
    """What is hovered over -> the spread of its moves and how many requests they sent."""
    from playwright.sync_api import sync_playwright

    figures = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        for strip, link in STRIPS.items():
            for block, cells in GRIDS.items():
                page.goto(f"{url}/clips/{clip_id}?block={block}&{link}")
                page.wait_for_selector(f'[data-ready="{block}"]')
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(500)
                page.evaluate(WATCH_MOVES)
                requests.clear()
                wander(page)
                moves = page.evaluate("window.moves_ms")
                figures[f"{strip}, {cells}"] = f"{spread(moves)}, {len(moves)} frames, {len(requests)} requests"
        browser.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?", default=ROOT / "app" / "samples" / "two-cups.mp4")
    with tempfile.TemporaryDirectory() as folder:
        server = LensServer(Path(folder) / "data", samples="false").start()
        clip_id = server.upload(parser.parse_args().video).json()["id"]
        server.finish(clip_id)
        for what, figure in hover(server.url, clip_id).items():
            print(f"hover, {what:32} {figure}, load {os.getloadavg()[0]:.1f}", flush=True)
        server.stop()


if __name__ == "__main__":
    main()
