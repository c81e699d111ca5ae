"""What a client is told of a store's events."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol import pages
from tests.factories import make_event, make_events

CREATED_AT = "2026-11-21T17:40:00.123Z"


def test_an_event_is_encoded_as_the_wire_document_says() -> None:
    text = pages.encode_event(make_event(2), CREATED_AT)

    assert json.loads(text) == {
        "eventEncoded": {
            "name": "noted",
            "args": {"text": "hello"},
            "seqNum": 2,
            "parentSeqNum": 1,
            "clientId": "client-1",
            "sessionId": "session-1",
        },
        "metadata": {
            "_tag": "Some",
            "value": {"_tag": "SyncMessage.SyncMetadata", "createdAt": CREATED_AT},
        },
    }


@pytest.mark.parametrize(
    ("remaining", "page_info"),
    [(0, {"_tag": "NoMore"}), (7, {"_tag": "MoreKnown", "remaining": 7})],
)
def test_a_page_says_how_many_events_follow(remaining: int, page_info: dict[str, Any]) -> None:
    events = [pages.encode_event(event, CREATED_AT) for event in make_events(2)]

    page = json.loads(pages.encode_page(events, remaining=remaining, backend_id="id"))

    assert page["pageInfo"] == page_info
    assert page["backendId"] == "id"
    assert [item["eventEncoded"]["seqNum"] for item in page["batch"]] == [1, 2]


def test_an_empty_page_is_a_page() -> None:
    assert json.loads(pages.encode_page([], remaining=0, backend_id="id")) == {
        "batch": [],
        "pageInfo": {"_tag": "NoMore"},
        "backendId": "id",
    }


@given(st.text(max_size=20))
def test_a_quoted_text_is_the_text(text: str) -> None:
    assert json.loads(pages.quote(text)) == text
