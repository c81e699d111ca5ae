"""How other machines on the local network reach this one."""

import ipaddress
import socket

# reserved for documentation: routed like any other address, and nothing is sent
_FAR_AWAY = ("192.0.2.1", 9)


def lan_address() -> str | None:
    """This machine's address on the network its default route leads to; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_FAR_AWAY)
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if ipaddress.ip_address(address).is_unspecified else address


def lan_names() -> list[str]:
    """Host names by which the local network may address this machine."""
    name = socket.gethostname().lower()
    return [name, f"{name}.local", *filter(None, [lan_address()])]


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, can be reached from this machine only."""
    try:
        return all(_is_loopback_address(address) for address in _resolve(host))
    except OSError:
        return False


def _resolve(host: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]


def _is_loopback_address(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
