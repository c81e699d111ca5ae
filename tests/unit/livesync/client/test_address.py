"""URLs as servers read them."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from livesync.client.address import Address
from livesync.protocol.search_params import match_sync_request

ODD = {"token": "50 % & + = # 'ü' \"👋🏽\""}


@pytest.mark.parametrize("url", ["ws://localhost:8000", "https://a.example/sync/", "http://[::1]"])
@pytest.mark.parametrize("payload", [None, ODD, "text", 0, False])
@pytest.mark.parametrize("store_id", ["notes", "a b&c=d%20/ü+"])
def test_a_server_reads_what_was_meant(url: str, payload: Any, store_id: str) -> None:
    said = Address(url, store_id, payload=payload, headers={}).introduce()

    request = match_sync_request(urlsplit(said.url).query.encode())

    assert request is not None
    assert request.store_id == store_id
    assert request.payload == payload
    assert request.transport == ("ws" if url.startswith("ws") else "http")
    assert (said.payload and json.loads(bytes(said.payload))) == payload or payload is None


def test_payload_and_headers_may_be_asked_for_each_time() -> None:
    numbers = iter(range(10))
    address = Address(
        "ws://localhost",
        "notes",
        payload=lambda: {"token": next(numbers)},
        headers=lambda: {"Authorization": f"Bearer {next(numbers)}"},
    )

    said = [address.introduce() for _ in range(2)]

    assert [json.loads(bytes(one.payload or b"")) for one in said] == [{"token": 0}, {"token": 2}]
    assert [one.headers["Authorization"] for one in said] == ["Bearer 1", "Bearer 3"]


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://a.example", "ws://", "ws://a?x=1", "ws://a#x", "//a"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must"):
        Address(url, "notes", payload=None, headers={})
