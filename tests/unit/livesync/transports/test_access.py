"""Which pages may connect."""

from typing import Any

import pytest

from livesync.transports.access import is_origin_allowed

LAN_PAGE = "http://192.168.1.20:5173"


@pytest.fixture
def development(settings: Any) -> Any:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["localhost", "192.168.1.20"]
    settings.LIVESYNC = {}
    return settings


@pytest.mark.parametrize(
    "origin", ["http://localhost:5173", "http://127.0.0.1:1", "https://[::1]:8443"]
)
def test_in_development_pages_of_this_machine_may(development: Any, origin: str) -> None:
    assert is_origin_allowed(origin)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost.evil.example", LAN_PAGE, "http://["],
)
def test_in_development_others_may_not(development: Any, origin: str) -> None:
    assert not is_origin_allowed(origin)


def test_a_site_open_to_the_network_welcomes_the_pages_it_serves_there(
    development: Any,
) -> None:
    development.LIVESYNC = {"open_to_network": True}

    assert is_origin_allowed(LAN_PAGE)
    assert not is_origin_allowed("https://evil.example")
    assert not is_origin_allowed("http://[")


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://app.example", True),
        ("HTTPS://APP.EXAMPLE", True),
        ("https://app.example:443", True),
        ("https://app.example:444", False),
        ("https://app.example.evil.com", False),
        ("http://app.example", False),
        ("http://localhost:5173", False),
        ("null", False),
        ("tauri://localhost", True),
        ("file://", True),
    ],
)
def test_in_production_the_list_decides(settings: Any, origin: str, is_allowed: bool) -> None:
    settings.DEBUG = False
    settings.LIVESYNC = {"allowed_origins": ("https://app.example", "tauri://localhost", "file://")}

    assert is_origin_allowed(origin) is is_allowed


def test_a_star_allows_every_page(settings: Any) -> None:
    settings.DEBUG = False
    settings.LIVESYNC = {"allowed_origins": ("*",)}

    assert is_origin_allowed("https://anything.example")
