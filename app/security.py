"""Who may ask, decided by pure rules: headers of every answer, the hosts we go by, other sites' pages, the key.

Nothing here opens or sends anything: app/access.py applies the rules to requests. SECURITY.md says what each is for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds `HEADERS` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; add the headers as the response starts."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::[0-9]{1,5})?")


def host_in(header: str) -> str | None:
    """The name or address of a Host header without its port, in lower case; None when it is neither."""
    found = _HOST.fullmatch(header.strip().lower())
    return (found["six"] or found["name"].removesuffix(".")) if found else None


class Hosts:
    """The names under which this server may be asked.

    A page of another site can point a name of its own at our address (DNS rebinding), and would then be "same origin"
    with us. So a request must name a host that is really ours: this machine to itself; the very address at which the
    connection arrived, and the machine's own names, when it arrived from outside; what the settings add.

    Args:
        told: of the settings; `*.lab.example` is every name below lab.example, `*` everything.
        own: the machine's names.
    """

    def __init__(self, told: Iterable[str], own: Iterable[str]) -> None:
        self._told = frozenset(name.lower().removesuffix(".") for name in told)
        self._own = frozenset(name.lower() for name in own)

    def go_by(self, host: str, reached_at: str | None) -> bool:
        """Whether `host` (see `host_in`) is ours on a connection to `reached_at`, None for a socket without address."""
        if host in LOCAL or self._is_told(host):
            return True
        if reached_at is None or reached_at in LOCAL:
            return False
        return host in self._own or _plain(host) == _plain(reached_at)

    def _is_told(self, host: str) -> bool:
        parts = host.split(".")
        patterns = {"*", host, *(".".join(["*", *parts[i:]]) for i in range(1, len(parts)))}
        return not patterns.isdisjoint(self._told)


def names_of(hostname: str) -> set[str]:
    """What others in a local network call a machine of that name: the name, its first part, and that under .local."""
    short = hostname.split(".")[0]
    return {hostname, short, f"{short}.local"} if short else set()


def _plain(address: str) -> str:
    """An address in one spelling; ::ffff:192.0.2.1 is how a socket for both families tells 192.0.2.1."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


READING = frozenset({"GET", "HEAD", "OPTIONS"})


def is_foreign_write(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site (or of another port of this host) made the browser send this to change something.

    Browsers say where a request comes from: in Sec-Fetch-Site, on plain http between machines only in Origin. Programs
    say neither; they hold no cookie of ours either, so nobody can borrow their rights.
    """
    if method in READING:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class Key:
    """The one key of a server, compared in constant time.

    Browsers keep `cookie` instead of the key: it opens this server only, as long as the key stays the same.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.cookie = hmac.digest(self._secret, b"nonlocal-lens cookie", "sha256").hex()

    def fits(self, given: str) -> bool:
        """Whether this is the key. Digests are compared: they are of one length, whatever was given."""
        told, own = hashlib.sha256(given.encode()), hashlib.sha256(self._secret)
        return hmac.compare_digest(told.digest(), own.digest())

    def opens(self, headers: Mapping[str, str], cookie: str | None) -> bool:
        """Whether a request with these headers, or that cookie, holds the key."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
        if given:
            return self.fits(given)
        return cookie is not None and hmac.compare_digest(cookie.encode(), self.cookie.encode())
