"""How much one client may ask for: uploads per minute. How many clips it may have is counted in the database."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request

from app.problems import TooManyUploads

CLIENTS_KEPT = 10_000  # about 1 MB; the one that was heard of longest ago is forgotten


class Turns:
    """So many uploads per minute and client, all at once or spread; each process counts for itself.

    Args:
        per_minute: None for no limit.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()  # when the client's last minute is used up again

    def take(self, client: str) -> None:
        """Count one upload.

        Raises:
            TooManyUploads: the client's minute is used up.
        """
        if self._per_minute is None:
            return
        now, each_s = self._clock(), 60 / self._per_minute
        free_at = max(self._free_at.get(client, now), now) + each_s
        if free_at - now > 60 + 1e-6:  # the sum of so many parts is not 60 to the last digit
            raise TooManyUploads(self._per_minute, free_at - now - 60)
        self._free_at[client] = free_at
        self._free_at.move_to_end(client)
        while len(self._free_at) > CLIENTS_KEPT:
            self._free_at.popitem(last=False)


def client_of(request: Request) -> str:
    """Who asks: the address; of IPv6 the network, for everybody has 2^64 addresses.

    Behind a proxy uvicorn takes it from X-Forwarded-For, if FORWARDED_ALLOW_IPS names the proxy.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), 64), strict=False))
    return host
