"""Rendering: Jinja2 templates, found beside the code in a checkout and inside the package in a wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates

TITLES = {404: "Not found", 409: "Not ready", 413: "Too large", 422: "Not understood", 429: "Busy", 507: "Full"}


def resource(name: str) -> Path:
    """The folder `static` or `templates`: the packages app.static and app.templates of a wheel, else the checkout's."""
    spec = find_spec(f"app.{name}")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(__file__).parent.parent / name


templates = Jinja2Templates(resource("templates"))


def page(request: Request, name: str, status: int = 200, /, **context: Any) -> Response:
    """One template as a response."""
    return templates.TemplateResponse(request, name, context, status_code=status)


def error_page(request: Request, status: int, message: str) -> Response:
    """An error, for a person."""
    return page(request, "error.html", status, status=status, title=TITLES.get(status, "Error"), message=message)


def wants_page(request: Request) -> bool:
    """Whether a browser asked for something to look at, rather than a program for data."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
