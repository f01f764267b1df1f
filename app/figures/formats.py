"""What a link can become: figures, drawn while one waits, and films, drawn by the worker."""

from __future__ import annotations

from typing import Literal

FigureFormat = Literal["svg", "png", "pdf"]
FilmFormat = Literal["mp4", "gif"]

WIDTHS: dict[FigureFormat, int] = {"svg": 1000, "png": 2000, "pdf": 1000}  # usual ones: CSS pixels, of PNG pixels
TYPES: dict[FigureFormat | FilmFormat, str] = {
    "svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf", "mp4": "video/mp4", "gif": "image/gif",
}  # fmt: skip
