"""Sockets whose peers want more than their due: they get what they are told, and hold nothing."""

import asyncio
import json
from typing import Any

import pytest

from livesync.services.hub import get_hub
from livesync.storage import get_engine, get_readers
from livesync.storage.database import DatabaseEngine
from livesync.transports.routing import websocket_application
from tests.clients import ClosedError, SyncClient, until
from tests.factories import make_events, option, wire_events

STORE = "store"


@pytest.fixture(autouse=True)
def _open_site(settings: Any) -> None:
    settings.LIVESYNC = {"hooks": "livesync.hooks.OpenHooks"}


def pull_message(request_id: str, store_id: str) -> dict[str, Any]:
    payload = {"storeId": store_id, "live": True, "cursor": option(None)}
    return {"_tag": "Request", "id": request_id, "tag": "SyncWsRpc.Pull", "payload": payload}


def push_message(request_id: str) -> dict[str, Any]:
    batch = wire_events(make_events(1))
    payload = {"storeId": STORE, "batch": batch, "backendId": option(None)}
    return {"_tag": "Request", "id": request_id, "tag": "SyncWsRpc.Push", "payload": payload}


@pytest.mark.usefixtures("services")
async def test_nothing_behind_a_foreign_message_in_its_frame_is_carried_out() -> None:
    frame = [pull_message("1", "another"), pull_message("2", STORE), push_message("3")]

    async with SyncClient(websocket_application, STORE) as client:
        client.send_text(json.dumps(frame))
        assert (await client.receive())["requestId"] == "1"
        with pytest.raises(ClosedError):
            await client.receive()

    assert get_hub().count() == 0
    assert await get_readers().run(get_engine().states, [STORE]) == {}


@pytest.mark.usefixtures("services")
async def test_a_socket_that_takes_nothing_has_one_page_read_for_it(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    def read(self: DatabaseEngine, *args: Any, **kwargs: Any) -> Any:
        nonlocal reads
        reads += 1
        return original(self, *args, **kwargs)

    original = DatabaseEngine.read
    async with SyncClient(websocket_application, STORE) as client:
        push = client.push(make_events(5))
        await client.exit(push)
        monkeypatch.setattr(DatabaseEngine, "read", read)
        client.takes_frames.clear()

        pulls = [client.pull(live=True) for _ in range(10)]
        await until(lambda: get_hub().count(STORE) == len(pulls))
        await until(lambda: reads > 0)
        await asyncio.gather(*[get_readers().run(int) for _ in range(20)])

        assert reads == 1
        client.takes_frames.set()
        for pull in pulls:
            assert await client.numbers(pull, 5) == [1, 2, 3, 4, 5]
