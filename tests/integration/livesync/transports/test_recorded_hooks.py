"""What LiveStore's client sent to a worker with hooks, sent to a site with the same hooks.

The answers are those of the recording, but for the error's ``name`` and for one fault of the
worker's: a hook that raised on its way to live pulls made them miss the push without a word.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.calls import Pull, Push
from livesync.protocol.errors import RefusedError
from livesync.protocol.responses import PullResponse
from livesync.transports.routing import websocket_application
from syncsite.sync_handler import SyncHandler
from tests import vectors
from tests.clients import Socket, call_http
from tests.integration.livesync.transports.conftest import Tune

HERE = "tests.integration.livesync.transports.test_recorded_hooks."
HEADERS = {
    "access-control-allow-origin": "*",
    "x-custom-header": "test-value",
    "x-livestore-version": "1.0.0",
}

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


class RecordedHooks(OpenHooks):
    """Raises where the recorded worker's hooks did."""

    async def on_push(self, push: Push, context: Context) -> None:
        for event in push.batch:
            if event.name == "throw-onPush":
                raise RefusedError("onPush says no")
            if event.name == "throw-string-onPush":
                raise RefusedError("plain string")

    async def on_pull(self, pull: Pull, context: Context) -> None:
        if context.payload == "throw-onPull":
            raise RefusedError("onPull says no")

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        if any(sent.event.name == "throw-onPullRes" for sent in response.events):
            raise RefusedError("onPullRes says no")


def comparable(messages: list[Any]) -> list[Any]:
    """Messages without what differs from run to run, and with one form of a refusal."""
    text = json.dumps(messages, sort_keys=True)
    text = re.sub(r'("(createdAt|backendId)": )"[^"]*"', r'\1"?"', text)
    text = text.replace('"RefusedError"', '"Error"')
    text = text.replace('{"message": "plain string", "name": "Error"}', '"plain string"')
    found: list[Any] = json.loads(text)
    return [message for message in found if message["_tag"] != "Pong"]


def answers_by_request(frames: Iterator[Any]) -> dict[str, list[Any]]:
    """Frames of a socket, apart for each request: between requests their order is free."""
    found: dict[str, list[Any]] = {}
    for frame in comparable(list(frames)):
        found.setdefault(frame["requestId"], []).append(frame)
    return found


async def replay(name: str) -> dict[str, list[Any]]:
    """Send what the client sent, each request when the one before has been answered."""
    (url,) = [record.url for record in vectors.read(name) if record.kind == "upgrade"]
    frames: list[Any] = []
    backend_id = ""
    async with Socket(websocket_application, url.partition("?")[2].encode()) as socket:
        for record in vectors.from_client(name):
            sent = json.loads(record.text)
            recorded = re.search(r'"backendId":{"_tag":"Some","value":"([^"]+)"', record.text)
            text = record.text.replace(recorded[1], backend_id) if recorded else record.text
            socket.send_text(text)
            if sent["_tag"] not in ("Request", "Ping"):
                continue
            while True:
                frames.append(await socket.receive())
                backend_id = _backend_id(frames[-1]) or backend_id
                if frames[-1]["_tag"] == "Pong" or frames[-1]["requestId"] == sent.get("id"):
                    break
        asked = {frame["requestId"] for frame in frames if frame["_tag"] != "Pong"}
        while asked - {frame["requestId"] for frame in frames if frame["_tag"] == "Exit"}:
            frames.append(await socket.receive())
    return answers_by_request(iter(frames))


def _backend_id(frame: Any) -> str | None:
    found: str | None = frame["values"][0]["backendId"] if frame["_tag"] == "Chunk" else None
    return found


@pytest.mark.parametrize("name", ["ws-hooks-onPush-throws", "ws-hooks-onPull-throws"])
async def test_a_socket_is_answered_as_recorded(tune: Tune, name: str) -> None:
    tune(hooks=HERE + "RecordedHooks")

    answers = await replay(name)

    recorded = (json.loads(record.text) for record in vectors.from_server(name))
    assert answers == answers_by_request(recorded)


async def test_no_live_pull_misses_a_push_without_a_word(tune: Tune) -> None:
    tune(hooks=HERE + "RecordedHooks")

    answers = await replay("ws-hooks-onPullRes-throws")

    refused = {
        "_tag": "Failure",
        "cause": {
            "_tag": "Fail",
            "error": {
                "_tag": "UnknownError",
                "cause": {"name": "Error", "message": "onPullRes says no"},
            },
        },
    }
    kinds = {request_id: [m["_tag"] for m in found] for request_id, found in answers.items()}
    assert kinds == {"52": ["Chunk", "Exit"], "53": ["Exit"], "54": ["Exit"], "55": ["Exit"]}
    assert answers["53"][0]["exit"] == answers["54"][0]["exit"] == {"_tag": "Success", "value": {}}
    # the worker let the live pull 52 go on as if there had been no push 53
    assert answers["52"][1]["exit"] == answers["55"][0]["exit"] == refused


async def test_requests_over_http_are_answered_as_recorded(tune: Tune) -> None:
    tune(hooks=HERE + "RecordedHooks", response_headers=HEADERS)
    records = vectors.read("http-hooks")
    requests = [record for record in records if record.kind == "request"]
    responses = [record for record in records if record.kind == "response"]

    for request, recorded in zip(requests, responses, strict=True):
        query = request.url.partition("?")[2].encode()
        response = await call_http(SyncHandler(), query, request.text.encode())

        assert comparable(response.messages) == comparable(json.loads(recorded.text))
        assert HEADERS.items() <= response.headers.items()
