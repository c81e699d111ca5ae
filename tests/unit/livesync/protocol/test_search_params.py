"""Search parameters alone decide what is a sync request, strictly."""

import json
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol import search_params
from livesync.protocol.search_params import SyncRequest, match_sync_request
from tests import vectors

UNRESERVED_IN_JAVASCRIPT = "!'()*~-._"

readable = st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"))
store_ids = st.text(readable, min_size=1, max_size=40)
payloads = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(st.characters(blacklist_categories=["Cs"]))
    ),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(readable), items),
    max_leaves=5,
)


def client_query(store_id: str, transport: str, payload: Any = ...) -> bytes:
    """The query as LiveStore's client makes it.

    ``encodeURIComponent`` around the payload's JSON, and ``URLSearchParams`` around that.
    """
    parameters = {"storeId": store_id}
    if payload is not ...:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        parameters["payload"] = quote(text, safe=UNRESERVED_IN_JAVASCRIPT)
    return urlencode({**parameters, "transport": transport}).encode()


@given(store_ids, st.sampled_from(["ws", "http"]), payloads)
def test_what_the_client_says_is_what_is_read(store_id: str, transport: Any, payload: Any) -> None:
    query = client_query(store_id, transport, payload)

    found = match_sync_request(query, payload_max_bytes=10**6)

    assert found == SyncRequest(store_id, transport, payload)


@given(store_ids)
def test_a_client_without_a_payload_has_none(store_id: str) -> None:
    assert match_sync_request(client_query(store_id, "ws")) == SyncRequest(store_id, "ws", None)


@given(payloads)
def test_a_payload_that_was_encoded_once_works_unless_it_holds_a_percent_sign(payload: Any) -> None:
    text = json.dumps(payload)
    query = b"storeId=s&transport=ws&payload=" + quote(text).encode()

    found = match_sync_request(query, payload_max_bytes=10**6)

    if "%" not in text:
        assert found == SyncRequest("s", "ws", payload)


@given(st.binary(max_size=40))
def test_no_query_whatever_raises(query: bytes) -> None:
    match_sync_request(query)
    match_sync_request(b"storeId=s&transport=ws&payload=" + query)
    match_sync_request(b"transport=ws&storeId=" + query)


@pytest.mark.parametrize(
    "name", vectors.names("ws-") + vectors.names("raw-") + vectors.names("http-client")
)
def test_every_recorded_client_is_recognised(name: str) -> None:
    urls = {r.url for r in vectors.read(name) if r.kind in ("upgrade", "request")}

    for url in urls:
        found = match_sync_request(url.partition("?")[2].encode())
        assert found is not None
        assert f"storeId={found.store_id}" in url


def test_the_recorded_payload_is_the_one_the_app_gave() -> None:
    url = vectors.read("ws-payload-auth-accepted")[0].url or next(
        r.url for r in vectors.read("ws-payload-auth-accepted") if r.kind == "upgrade"
    )
    assert "payload=%257B%2522" in url

    found = match_sync_request(url.partition("?")[2].encode())

    assert found is not None
    assert isinstance(found.payload["authToken"], str)


MATCHES = {
    "ids are opaque": (b"storeId=%27%3B+DROP+TABLE+x%3B--&transport=ws", "'; DROP TABLE x;--"),
    "a path for an id": (b"storeId=../../etc/passwd&transport=ws", "../../etc/passwd"),
    "a plus is a space": (b"storeId=a+b&transport=ws", "a b"),
    "an encoded plus is a plus": (b"storeId=a%2Bb&transport=ws", "a+b"),
    "parameters in another order": (b"transport=ws&storeId=a", "a"),
    "an escaped name": (b"%73toreId=a&transport=ws", "a"),
    "unknown parameters": (b"debug=1&storeId=a&cb=x&cb=y&transport=ws&", "a"),
    "unknown parameters with broken escapes": (b"x=%&storeId=a&transport=ws", "a"),
    "raw UTF-8": ("storeId=é&transport=ws".encode(), "é"),
    "composed and decomposed differ": ("storeId=e\u0301&transport=ws".encode(), "e\u0301"),
    "fullwidth is not folded": ("storeId=\uff41&transport=ws".encode(), "\uff41"),
    "a zero-width joiner": (b"storeId=a%E2%80%8Db&transport=ws", "a\u200db"),
    "a direction override": (b"storeId=%E2%80%AEa&transport=ws", "\u202ea"),
    "512 bytes": (b"transport=ws&storeId=" + b"%C3%A9" * 256, "é" * 256),
    "an equals sign in the id": (b"storeId=a=b&transport=ws", "a=b"),
}

REFUSED = {
    "nothing": b"",
    "no transport": b"storeId=a",
    "no store": b"transport=ws",
    "an empty store": b"storeId=&transport=ws",
    "a store without a value": b"storeId&transport=ws",
    "two stores": b"storeId=a&storeId=b&transport=ws",
    "one store twice": b"storeId=a&storeId=a&transport=ws",
    "a second store whose name is escaped": b"storeId=a&store%49d=b&transport=ws",
    "two transports": b"storeId=a&transport=ws&transport=http",
    "another transport": b"storeId=a&transport=do-rpc",
    "a transport in capitals": b"storeId=a&transport=WS",
    "an empty transport": b"storeId=a&transport=",
    "a transport of broken UTF-8": b"storeId=a&transport=%ff",
    "513 bytes": b"transport=ws&storeId=" + b"a" * 513,
    "257 characters of two bytes": b"transport=ws&storeId=" + b"%C3%A9" * 257,
    "NUL": b"storeId=%00&transport=ws",
    "a line break": b"storeId=a%0d%0aSet-Cookie:x&transport=ws",
    "a tab": b"storeId=a%09&transport=ws",
    "DEL": b"storeId=a%7F&transport=ws",
    "a C1 control": b"storeId=a%C2%85&transport=ws",
    "a line separator": b"storeId=a%E2%80%A8&transport=ws",
    "a paragraph separator": b"storeId=a%E2%80%A9&transport=ws",
    "broken UTF-8": b"storeId=%ff%fe&transport=ws",
    "an encoded surrogate": b"storeId=%ED%A0%BD&transport=ws",
    "an escape of another kind": b"storeId=%u0041&transport=ws",
    "a bare percent sign": b"storeId=%&transport=ws",
    "half an escape": b"storeId=a%4&transport=ws",
    "two payloads": b"storeId=a&transport=ws&payload=1&payload=1",
    "an empty payload": b"storeId=a&transport=ws&payload=",
    "a payload that is not JSON": b"storeId=a&transport=ws&payload=x",
    "a payload with NaN": b"storeId=a&transport=ws&payload=NaN",
    "a payload with broken escapes inside": b"storeId=a&transport=ws&payload=%22%25%22",
    "a payload of broken UTF-8": b"storeId=a&transport=ws&payload=%2522%25ff%2522",
    "a payload with a byte order mark": b"storeId=a&transport=ws&payload=%EF%BB%BF1",
    "a payload of 8,193 bytes": b"storeId=a&transport=ws&payload=" + b"1" * 8_193,
    "a payload nested 65 deep": b"storeId=a&transport=ws&payload=" + b"[" * 65 + b"]" * 65,
    "a payload nested 4,000 deep": b"storeId=a&transport=ws&payload=" + b"[" * 4_000 + b"]" * 4_000,
}


@pytest.mark.parametrize(("query", "store_id"), MATCHES.values(), ids=MATCHES)
def test_the_store_is_named_byte_for_byte(query: bytes, store_id: str) -> None:
    assert match_sync_request(query) == SyncRequest(store_id, "ws", None)


@pytest.mark.parametrize("query", REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_is_no_sync_request(query: bytes) -> None:
    assert match_sync_request(query) is None


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        (b"null", None),
        (b"%22x%22", "x"),
        (b"[]", []),
        (b"{}", {}),
        (b"%7B%22__proto__%22%3A1%7D", {"__proto__": 1}),
        (b"%7B%22a%22%3A1%2C%22a%22%3A2%7D", {"a": 2}),
        (b"%22%252B%22", "+"),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b"1" * 400, int("1" * 400)),
    ],
)
def test_any_json_is_a_payload_and_the_last_of_a_name_counts(text: bytes, payload: Any) -> None:
    found = match_sync_request(b"storeId=a&transport=ws&payload=" + text)

    assert found == SyncRequest("a", "ws", payload)


def test_the_limits_are_the_callers() -> None:
    query = b"transport=ws&storeId=abc&payload=[[1]]"

    assert match_sync_request(query, store_id_max_bytes=3, payload_max_bytes=5)
    assert match_sync_request(query, store_id_max_bytes=2) is None
    assert match_sync_request(query, payload_max_bytes=4) is None
    assert match_sync_request(query, payload_max_depth=2)
    assert match_sync_request(query, payload_max_depth=1) is None


def test_so_many_other_parameters_are_ignored_and_no_more() -> None:
    query = b"storeId=a&transport=ws"

    assert match_sync_request(query + b"&x=1" * 63) == SyncRequest("a", "ws")
    assert match_sync_request(query + b"&x=1" * 64) is None
    assert match_sync_request(query + b"&" * 64) is None


def test_a_long_name_is_ignored_without_being_unescaped(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Mock(side_effect=unquote_to_bytes)
    monkeypatch.setattr(search_params, "unquote_to_bytes", spy)

    found = match_sync_request(b"storeId=a&transport=ws&" + b"%41" * 20_000)

    assert found == SyncRequest("a", "ws")
    assert max(len(call.args[0]) for call in spy.call_args_list) == len("transport")


def test_a_name_may_be_escaped_throughout() -> None:
    name = b"".join(b"%%%02X" % byte for byte in b"transport")

    assert match_sync_request(b"storeId=a&" + name + b"=ws") == SyncRequest("a", "ws")
