"""The gate before every route: hosts that are not ours, writes of other sites' pages, and requests without the key.

It stands outside of the routes, so that none can forget it. Below it is the only page that a stranger may see where
a key is set: the one that asks for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.pages import page, wants_page
from app.problems import ForeignHost, ForeignPage, KeyNeeded
from app.security import READING, Hosts, Key, host_in, is_foreign_write
from app.uploads import Body
from nonlocal_core.errors import LensError

COOKIE = "nonlocal_lens_key"
COOKIE_S = 30 * 86400
FORM_BYTES = 4096
OPEN = frozenset({"/healthz", "/readyz", "/key"})  # they tell nothing of anybody's clips
OPEN_BELOW = "/static/"  # the program's own files, which anybody can have from its repository

Respond = Callable[[Request, LensError], Response]


class Access:
    """Lets a request through or refuses it.

    Args:
        key: None lets everybody in.
        respond: makes the response of an error, see `app.errors.answer_to`.
        forget_bytes: of a refused body so much is read and dropped, so that its sender reads the answer.
    """

    def __init__(self, app: ASGIApp, *, hosts: Hosts, key: Key | None, respond: Respond, forget_bytes: int) -> None:
        self.app = app
        self._hosts = hosts
        self._key = key
        self._respond = respond
        self._forget_bytes = forget_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass everything on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["key"] = self._key
        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is None:
            await self.app(scope, receive, send)
            return
        if "expect" not in request.headers:  # who waits for a "100 Continue" has sent nothing yet
            with contextlib.suppress(LensError):
                await Body(receive).forget(self._forget_bytes)
        await self._answer(request, refusal)(scope, receive, send)

    def _refusal(self, request: Request) -> LensError | None:
        told = request.headers.getlist("host")
        host = host_in(told[0]) if len(told) == 1 else None
        if host is None or not self._hosts.go_by(host, _reached_at(request.scope)):
            return ForeignHost(", ".join(told))
        if is_foreign_write(request.method, request.headers):
            return ForeignPage()
        path = request.scope["path"]
        if self._key is None or path in OPEN or path.startswith(OPEN_BELOW):
            return None
        return None if self._key.opens(request.headers, request.cookies.get(COOKIE)) else KeyNeeded()

    def _answer(self, request: Request, refusal: LensError) -> Response:
        if not isinstance(refusal, KeyNeeded):
            return self._respond(request, refusal)
        wanted = _address(request) if request.method in READING else "/"
        return key_page(request, wanted) if wants_page(request) else _unkept(self._respond(request, refusal))


router = APIRouter(include_in_schema=False)

Wanted = Annotated[str, Query(alias="next", max_length=8192)]


@router.get("/key")
def ask_for_key(request: Request, wanted: Wanted = "/") -> Response:
    """The page that asks for the key, and on to what was wanted where the browser has it; to a script just whether."""
    key: Key | None = request.state.key
    known = key is None or key.opens(request.headers, request.cookies.get(COOKIE))
    if not wants_page(request):
        return _unkept(JSONResponse({"known": known}))
    return RedirectResponse(local(wanted), 303) if known else key_page(request, local(wanted))


@router.post("/key")
async def take_key(request: Request, wanted: Wanted = "/") -> Response:
    """Take the key from the form, leave its cookie with the browser, and go on to what was wanted."""
    content = bytearray()
    async for chunk in Body(request.receive).chunks():
        content += chunk[:FORM_BYTES]
        if len(content) > FORM_BYTES:
            break
    given = parse_qs(content.decode("latin-1"), encoding="utf-8", errors="replace").get("key", [""])[0]
    key: Key | None = request.state.key
    if key is not None and not key.fits(given.strip()):
        return key_page(request, local(wanted), wrong=given != "")
    response = RedirectResponse(local(wanted), 303)
    if key is not None:
        # Strict: no other site's page can send it along; Secure where the proxy in front speaks TLS.
        secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, key.cookie, max_age=COOKIE_S, path="/", httponly=True, samesite="strict", secure=secure
        )
    return response


def key_page(request: Request, wanted: str, *, wrong: bool = False) -> Response:
    """The page that asks for the key, which leads on to the local address `wanted`."""
    return _unkept(page(request, "key.html", 401, action=f"/key?next={quote(wanted, safe='')}", wrong=wrong))


def local(address: str) -> str:
    """The address, if it is a path of this server and no browser could take it for another site's; else the gallery."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else "/"


def _unkept(response: Response) -> Response:
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _address(request: Request) -> str:
    query = request.url.query
    return local(quote(request.scope["path"]) + (f"?{query}" if query else ""))


def _reached_at(scope: Scope) -> str | None:
    """The address of ours at which the connection arrived; None for a Unix socket."""
    server = scope.get("server")
    return server[0] if server and server[1] is not None else None
