import pytest
from chat_sdk.types import StateAdapter

from chatstate.adapters import RemoteStateAdapter
from chatstate.adapters.remote import socket_url


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://localhost:8000", "ws://localhost:8000/api/chat/v1/socket"),
        ("https://a.example/", "wss://a.example/api/chat/v1/socket"),
        ("https://a.example/below", "wss://a.example/below/api/chat/v1/socket"),
        ("wss://a.example/api/chat/v1/socket", "wss://a.example/api/chat/v1/socket"),
        ("ws://[::1]:80/api/chat/v1/socket/", "ws://[::1]:80/api/chat/v1/socket"),
    ],
)
def test_the_url_may_be_of_the_site_or_of_the_socket(url: str, socket: str) -> None:
    assert socket_url(url) == socket


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a.example", "http://"])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must begin with http"):
        RemoteStateAdapter(url, "token")


def test_a_token_is_needed() -> None:
    with pytest.raises(ValueError, match="create_chat_token"):
        RemoteStateAdapter("http://localhost", "")


def test_it_is_a_state_adapter() -> None:
    assert isinstance(RemoteStateAdapter("http://localhost", "token"), StateAdapter)
