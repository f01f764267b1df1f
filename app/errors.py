"""One shape for every error: {"error": {"code", "message", "details"}}, and one table of statuses."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app import problems
from app.database import AWAY
from app.figures.drawing import CannotDraw
from app.logs import REQUEST
from app.pages import error_page, wants_page
from nonlocal_core import errors

log = logging.getLogger(__name__)

RETRY_AFTER_S = 10  # about one analysis on two cores

STATUS: dict[type[errors.LensError], int] = {
    problems.ClipNotFound: 404,
    problems.NoOverview: 404,
    problems.CutNotFound: 404,
    problems.FilmNotFound: 404,
    problems.ClipNotReady: 409,
    problems.ClipAlreadyFinished: 409,
    problems.UploadTooLarge: 413,
    problems.TooMuchToTake: 422,
    problems.QueueFull: 429,
    problems.TooManyUploads: 429,
    problems.QuotaReached: 429,
    problems.ForeignHost: 400,
    problems.KeyNeeded: 401,
    problems.ForeignPage: 403,
    problems.DatabaseAway: 503,
    problems.StorageFull: 507,
    CannotDraw: 422,
    errors.QueryError: 422,
    errors.UnknownBlock: 404,
    errors.UnknownModel: 404,
    errors.AnalysisNotFound: 404,
    errors.DamagedAnalysis: 500,
}


def status_of(error: errors.LensError) -> int:
    """The status of the nearest class in the table."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_body(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The one JSON shape of an error."""
    return {"error": {"code": code, "message": message, "details": details or {}}}


def install_error_handlers(app: FastAPI) -> None:
    """Every error leaves in that shape, or as a page when a browser asked for one; see `unexpected` for the rest."""
    app.add_exception_handler(errors.LensError, _deliberate)
    for kind in AWAY:
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)


def _answer(request: Request, status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Response:
    if wants_page(request):
        return error_page(request, status, message)
    return JSONResponse(error_body(code, message, details), status)


def answer_to(request: Request, error: errors.LensError) -> Response:
    """The response of an error that we raised on purpose."""
    status = status_of(error)
    response = _answer(request, status, type(error).__name__, str(error))
    if status in (429, 503):
        response.headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    return response


def _deliberate(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.LensError)
    return answer_to(request, error)


def _away(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    log.warning("%s %s: the database is away: %s", request.method, request.url.path, str(error.orig).splitlines()[0])
    return answer_to(request, problems.DatabaseAway())


def _invalid(request: Request, error: Exception) -> Response:
    """What was wrong, without echoing the input: a NaN in it could not be written as JSON."""
    assert isinstance(error, RequestValidationError)
    problems = [{"where": ".".join(map(str, found["loc"])), "what": found["msg"]} for found in error.errors()]
    message = "; ".join(f"{found['where']}: {found['what']}" for found in problems)
    return _answer(request, 422, "InvalidRequest", message, {"problems": problems})


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "HttpError")
    return _answer(request, error.status_code, code, f"{request.method} {request.url.path}: {error.detail}")


def unexpected(request: Request, error: Exception) -> Response:
    """The response of an error that nobody foresaw; its own words go to the log only."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "the server failed on this request; its log has the cause"
    return _answer(request, 500, "InternalError", message, {"request": REQUEST.get()})


def _gone(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """The client hung up in mid-upload: nobody reads this, and nothing is to be looked into."""
    return Response(status_code=400)
