"""How an `Analysis` shows itself in a notebook: a few frames, what the network says, and its blocks. One piece of HTML.

Everything is inside (pictures as data addresses, styles on the elements, no script), and whatever a file or a model
says is escaped: notebooks are passed on, and opened by people who never saw the video.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from nonlocal_core.affinity.field import AffinityField
    from nonlocal_core.analysis import Analysis
    from nonlocal_core.geometry import Grid

_FRAMES, _STRIDE = 4, 8  # Wang et al. 2018, Fig. 3: four frames with a stride of 8
_PICTURE_PX = 168
_PREDICTIONS = 5
_CELL = "text-align: left; padding: 2px 18px 2px 0"


def analysis_html(analysis: Analysis) -> str:
    """An analysis as a self-contained piece of HTML."""
    parts = (_frames(analysis), _notes(analysis.notes), _predictions(analysis), _blocks(analysis.fields))
    return f'<div style="font: 13px/1.5 system-ui, sans-serif">{"".join(parts)}</div>'


def shown_frames(count: int) -> range:
    """Four frames of a clip of `count`, eight apart where it is long enough."""
    step = max(1, min(_STRIDE, count // _FRAMES))
    return range(0, min(count, _FRAMES * step), step)


def _frames(analysis: Analysis) -> str:
    rgb, times_s = analysis.clip.rgb, analysis.clip.times_s
    figures = (
        f'<figure style="margin: 0"><img alt="Frame {i}" width="{_PICTURE_PX}" height="{_PICTURE_PX}" src="'
        f'{_data_address(Image.fromarray(rgb[i]))}"/><figcaption>{i} · {times_s[i]:.2f} s</figcaption></figure>'
        for i in shown_frames(len(rgb))
    )
    return f'<div style="display: flex; flex-wrap: wrap; gap: 6px">{"".join(figures)}</div>'


def _data_address(picture: Image.Image) -> str:
    content = io.BytesIO()
    picture.resize((_PICTURE_PX, _PICTURE_PX)).save(content, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def _notes(notes: Iterable[str]) -> str:
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _predictions(analysis: Analysis) -> str:
    scores = analysis.scores
    best: list[int] = np.argsort(-scores, kind="stable")[:_PREDICTIONS].tolist()
    rows = [(analysis.labels[i], f"{scores[i]:.1%}") for i in best]
    return _table("What the network says", ("Class", "Probability"), rows)


def _blocks(fields: dict[str, AffinityField]) -> str:
    rows = (
        (name, field.kind.replace("_", " "), _size(field.query_grid), _size(field.key_grid))
        for name, field in fields.items()
    )
    return _table("Blocks", ("Name", "Affinity", "Queries (time × rows × columns)", "Keys"), rows)


def _table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heading = "".join(f'<th scope="col" style="{_CELL}">{escape(text)}</th>' for text in head)
    lines = ("".join(f'<td style="{_CELL}">{escape(text)}</td>' for text in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    caption = f'<caption style="text-align: left; font-weight: 600">{escape(title)}</caption>'
    return f'<table style="margin: 12px 0">{caption}<thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>'


def _size(grid: Grid) -> str:
    return f"{grid.t} × {grid.h} × {grid.w}"
