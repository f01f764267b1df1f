"""Rendering: Jinja2 templates."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates

from app.resources import resource

TITLES = {404: "Not found", 409: "Not ready", 413: "Too large", 422: "Not understood", 429: "Busy", 507: "Full"}


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
