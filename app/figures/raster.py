"""PNG and PDF of our SVG, in one font that ships with reportlab, so that no system font is needed or used.

Each carries what its SVG says of itself in <metadata>: PNG in tEXt chunks, PDF in its document information. The same
SVG gives the same bytes: dates are the SVG's own.
"""

from __future__ import annotations

import functools
import io
import json
import struct
import zlib
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from app.figures.formats import FigureFormat

SVG = "{http://www.w3.org/2000/svg}"
FONT = "Bitstream Vera Sans"  # the first of the family that svg.js asks for
POINTS = 0.75  # of a CSS pixel


@functools.cache
def font_file() -> Path:
    """Vera.ttf of reportlab; free to embed and to pass on."""
    spec = find_spec("reportlab")
    assert spec is not None, "reportlab is a dependency"
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)), "fonts", "Vera.ttf")


def provenance_of(svg: str) -> dict[str, Any]:
    """What a figure of ours says of itself."""
    found = ElementTree.fromstring(svg.encode()).find(f"{SVG}metadata")
    return json.loads(found.text or "{}") if found is not None else {}


def content_of(svg: str, kind: FigureFormat, width: int) -> bytes:
    """The figure in a format; `width` counts for PNG, the others keep the SVG's own size."""
    if kind == "png":
        return png_of(svg, width)
    return pdf_of(svg) if kind == "pdf" else svg.encode()


def pixels_of(svg: str, width: int) -> bytes:
    """A PNG `width` pixels wide, without metadata."""
    import resvg_py

    options: dict[str, Any] = {"skip_system_fonts": True, "font_files": [str(font_file())], "width": width}
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, **options))


def png_of(svg: str, width: int) -> bytes:
    """A PNG `width` pixels wide that says where it comes from."""
    told = provenance_of(svg)
    texts = {
        "Title": f"{told['video']['filename']}, {told['block']}",
        "Software": f"{told['software']} {told['version']}",
        "Creation Time": told["made"],
        "Source": told["link"],
        "Comment": json.dumps(told),
    }
    return with_texts(pixels_of(svg, width), texts)


def with_texts(png: bytes, texts: dict[str, str]) -> bytes:
    """The PNG with a tEXt chunk for each text, after its header; what Latin-1 cannot hold becomes '?'."""
    end = 8 + 25  # the signature and IHDR
    chunks = [
        _chunk(b"tEXt", name.encode() + b"\0" + text.encode("latin-1", "replace")) for name, text in texts.items()
    ]
    return png[:end] + b"".join(chunks) + png[end:]


def pdf_of(svg: str) -> bytes:
    """One page of the figure's own size: outlines, pictures and text that can be searched."""
    from svglib.fonts import register_font
    from svglib.svglib import svg2rlg

    register_font(FONT, str(font_file()))
    told, file = provenance_of(svg), io.BytesIO()
    drawing: Any = svg2rlg(io.BytesIO(svg.encode()))
    made = datetime.fromisoformat(told["made"]).astimezone(UTC)
    page = _page(file, (drawing.width, drawing.height))
    page.setDateFormatter(functools.partial(_date, made))
    page.setTitle(f"{told['video']['filename']}, {told['block']}")
    page.setAuthor("")
    page.setCreator(f"{told['software']} {told['version']}")
    page.setSubject(told["link"])
    page.setKeywords(json.dumps(told))
    _draw(drawing, page)
    return file.getvalue()


def _page(file: io.BytesIO, size: tuple[float, float]) -> Any:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    make: Any = canvas.Canvas
    page = make(file, pagesize=size, invariant=1, initialFontName=FONT)  # invariant: no clock, no random names

    def draw_image(image: Any, x: float, y: float, width: float, height: float, **_: Any) -> None:
        page.drawImage(ImageReader(image), x, y, width, height, mask="auto")

    page.drawInlineImage = draw_image  # what svglib's images come to: inline ones would lose their transparency
    return page


def _draw(drawing: Any, page: Any) -> None:
    from reportlab.graphics import renderPDF

    renderPDF.draw(drawing, page, 0, 0)
    page.showPage()
    page.save()


def _date(made: datetime, *_: Any) -> str:
    return f"D:{made:%Y%m%d%H%M%S}Z"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
