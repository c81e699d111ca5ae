"""A PullResponse as a hook of the site sees it."""

import pytest

from livesync.protocol.events import Event
from livesync.protocol.pages import encode_event
from livesync.protocol.responses import PullResponse, SentEvent
from tests.factories import make_event

CREATED_AT = "2026-11-22T10:00:00.000Z"


@pytest.mark.parametrize(
    "event",
    [
        make_event(1, args=None),
        make_event(2, args="null"),
        make_event(3, args='{"a": "\\ud83d", "b": 1.0, "b": [2]}', name='"\\\u2028é'),
        make_event(2**53 - 1, parent=3, args="[" * 512 + "]" * 512),
    ],
)
def test_an_event_reads_as_it_was_encoded(event: Event) -> None:
    response = PullResponse("store", "backend", [encode_event(event, CREATED_AT)])

    assert response.events == [SentEvent(event, CREATED_AT)]
