"""One file over HTTP, resumed where it broke off. Bytes only: whether they are the right ones, fetch.py judges.

With urllib and not httpx: one GET with a Range header, redirects, proxies and a timeout is all that is asked, and the
core stays without a dependency that only downloads would need.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from nonlocal_core.errors import FetchFailed

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server tells

PIECE_BYTES = 1 << 18
LARGEST_BYTES = 4 << 30  # the published files have up to 0.4 GB: an endless answer must not fill the disk
_TRANSIENT = {408, 425, 429}  # and 5xx: worth asking again


def silent(_got: int, _total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Patience:
    """How long a bad connection is borne."""

    attempts: int = 5  # in a row without a new byte
    pause_s: float = 1.0  # before the next attempt, doubled each time
    timeout_s: float = 30.0  # of silence


PATIENCE = Patience()


class _BrokeOff(Exception):
    """This attempt is over; another may do better."""


class _Part:
    """What came so far, and the validator that says of which file it is a part."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.file = file
        self._note = path.with_name(path.name + ".json")
        self.validator: str | None = None
        with suppress(OSError, ValueError, KeyError):  # without a readable note the part is not continued
            self.validator = json.loads(self._note.read_text(encoding="utf-8"))["validator"]

    @property
    def bytes(self) -> int:
        return self.file.seek(0, 2)

    def restart(self, validator: str | None = None) -> None:
        self.file.truncate(0)
        self.validator = validator
        self._note.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    def forget(self) -> None:
        self._note.unlink(missing_ok=True)


def download(url: str, path: Path, *, progress: Progress = silent, patience: Patience = PATIENCE) -> None:
    """Load `url` into `path`, continuing what an earlier call left there.

    Raises:
        FetchFailed: refused, too large, or broken off too often; what came stays in `path` for the next call.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchFailed(f"{url}: only http and https are loaded; bring a file with --from")
    with path.open("a+b") as file:
        part = _Part(path, file)
        failures = 0
        while True:
            before = part.bytes
            try:
                _attempt(url, part, progress, patience.timeout_s)
                part.forget()
                return
            except _BrokeOff as error:
                failures = failures + 1 if part.bytes <= before else 1
                if failures >= patience.attempts:
                    kept = f"; {part.bytes} bytes are kept, run it again to go on" if part.bytes else ""
                    raise FetchFailed(f"{url}: {error}, {failures} times{kept}") from error
            time.sleep(patience.pause_s * 2 ** (failures - 1))


def _attempt(url: str, part: _Part, progress: Progress, timeout_s: float) -> None:
    """One request; returns when the part is whole."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "nonlocal-lens"}
    have = part.bytes
    if have and part.validator:  # without a validator the rest might be that of another file
        headers |= {"Range": f"bytes={have}-", "If-Range": part.validator}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s) as response:
            total = _total(response, part)
            while piece := _read(response):
                part.file.write(piece)
                if (total or part.bytes) > LARGEST_BYTES:
                    part.restart()
                    raise FetchFailed(f"{url}: more than {LARGEST_BYTES} bytes; no checkpoint is that large")
                progress(part.bytes, total)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and _range(error.headers.get("Content-Range")) == (None, have):
            return  # it was whole already, only not put in its place
        if error.code == 416:
            part.restart()
            raise _BrokeOff("the server has another file than before") from error
        if error.code < 500 and error.code not in _TRANSIENT:
            raise FetchFailed(f"{url}: the server answers {error.code} {error.reason}") from error
        raise _BrokeOff(f"the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException) as error:
        raise _BrokeOff(_words(error)) from error
    if total is not None and part.bytes < total:
        raise _BrokeOff(f"it broke off after {part.bytes} of {total} bytes")


def _read(response: Any) -> bytes:
    """The next piece; what goes wrong here is the network's fault, what goes wrong in writing is the disk's."""
    try:
        return response.read(PIECE_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokeOff(_words(error)) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


def _total(response: Any, part: _Part) -> int | None:
    """The size of the whole file as this answer tells it; starts over when the answer is no continuation."""
    if response.status == 206:
        start, total = _range(response.headers.get("Content-Range"))
        if start == part.bytes:
            return total
        part.restart()
        raise _BrokeOff("the server answered another range than was asked")
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    part.restart(etag if etag and not etag.startswith("W/") else modified)  # a weak one may not be used for ranges
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _range(text: str | None) -> tuple[int | None, int | None]:
    """(first byte, size of the whole) of a Content-Range; None for what it does not tell."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", text or "")
    if not match:
        return None, None
    first, total = match.groups()
    return None if first is None else int(first), None if total == "*" else int(total)
