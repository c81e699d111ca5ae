"""How other machines reach this one."""

import ipaddress

import pytest

from syncsite import network


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_this_machine_only(host: str) -> None:
    assert network.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "no.such.host.invalid"])
def test_everything_else_is_not(host: str) -> None:
    assert not network.is_loopback(host)


def test_the_lan_address_is_one_to_connect_to() -> None:
    address = network.lan_address()

    assert address is None or not ipaddress.ip_address(address).is_unspecified
