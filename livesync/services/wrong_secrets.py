"""How often somebody may be wrong about a secret, so that it cannot be found by trying."""

import ipaddress
import threading
import time
from collections import OrderedDict, deque

TRIES = 5
PER_S = 60.0
"""So many wrong tries within so many seconds, and an address is not listened to."""

_MAX_ADDRESSES = 10_000
_NETWORK_OF_IPV6 = 64
"""Whoever has one such address has all that share these bits."""
_MAX_CHARS = 64
"""Where a proxy is believed that repeats what clients claim, an address may be any text."""


class WrongSecrets:
    """Counts the wrong tries of each address in the last minute, in this process.

    Of the addresses that came last so many are remembered as fit into a megabyte or two.
    """

    def __init__(self) -> None:
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def is_over(self, address: str, *, now: float | None = None) -> bool:
        """Whether ``address`` was wrong so often that it is not to be listened to now.

        Args:
            address: an IP address; anything else counts as one address for itself, known by how
                it begins.
            now: of a monotonic clock, in seconds.
        """
        now = time.monotonic() if now is None else now
        with self._lock:
            tries = self._tries.get(_group(address))
            return tries is not None and len(tries) == TRIES and now - tries[0] < PER_S

    def add(self, address: str, *, now: float | None = None) -> None:
        """Take note of a wrong try."""
        now = time.monotonic() if now is None else now
        group = _group(address)
        with self._lock:
            self._tries.setdefault(group, deque(maxlen=TRIES)).append(now)
            self._tries.move_to_end(group)
            if len(self._tries) > _MAX_ADDRESSES:
                self._tries.popitem(last=False)


def _group(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:_MAX_CHARS]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), _NETWORK_OF_IPV6), strict=False))
