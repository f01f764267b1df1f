"""The page to take home: one HTML file with a clip's frames, some blocks' features and the page's own modules."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from app.figures.bundle import bundle
from app.pages import templates
from app.problems import TooMuchToTake
from app.resources import resource
from app.schemas import BlockOut, ClipOut
from nonlocal_core.affinity.store import FRAMES, AffinityStore, field_to_bytes
from nonlocal_core.errors import UnknownBlock

MOST_BYTES = 12_000_000  # what goes through mail and chat
STYLES = ("css/base.css", "css/lens.css")


def take_home(store: AffinityStore, clip: ClipOut, blocks: tuple[str, ...], search: str, version: str) -> str:
    """The page of a clip, with `blocks` (those of its network in their order) to ask, opening on the link `search`.

    Raises:
        UnknownBlock: the clip has no such block.
        TooMuchToTake: the page would be larger than `MOST_BYTES`.
    """
    manifest = store.manifest(clip.id)
    known = {block.name: block for block in manifest.blocks}
    for name in blocks:
        if name not in known:
            raise UnknownBlock(name, tuple(known))
    script, css, theme = _parts()
    home: dict[str, Any] = {
        "clip": clip.model_dump(
            mode="json", include={"id", "filename", "model", "sha256", "frames", "start_s", "variant"}
        ),
        "blocks": [
            BlockOut.of(clip.id, block).model_dump(mode="json")
            | {"features_url": _data_url("application/octet-stream", _features(store, clip.id, name))}
            for name, block in known.items()
            if name in blocks
        ],
        "predictions": [found.model_dump(mode="json") for found in manifest.predictions[:5]],
        "frames": _data_url("image/jpeg", store.read_bytes(clip.id, FRAMES)),
        "search": f"?{search}" if search else "",
    }
    page = templates.get_template("home.html").render(
        clip=clip, home=home, css=css, script=script, theme=theme, version=version, model=None
    )
    if (size := len(page.encode())) > MOST_BYTES:
        raise TooMuchToTake(size, MOST_BYTES)
    return page


def _features(store: AffinityStore, clip_id: str, name: str) -> bytes:
    """A block's file with theta and phi as float16, half as large, and the log-sum-exp of just these."""
    field = store.read(clip_id, name)
    small = replace(field, theta=field.theta.astype(np.float16), phi=field.phi.astype(np.float16))
    return field_to_bytes(replace(small, given_log_sum_exp=None), name)


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@cache
def _parts() -> tuple[str, str, str]:
    """The modules in one script, the styles, and the script of the theme; none of them can end its element."""
    root = resource("static")
    script = bundle(root / "js", "home-page.js", "home")
    css = "\n".join((root / name).read_text(encoding="utf-8") for name in STYLES)
    theme = (root / "js" / "theme.js").read_text(encoding="utf-8")
    for part in (script, css, theme):
        assert "</" not in part.replace("</svg", "").replace("</strong", ""), "a part would end its element"
    return script, css, theme
