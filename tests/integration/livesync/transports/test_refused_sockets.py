"""What a socket is refused or closed for."""

import json
from typing import Any

import pytest

from groundwork import frames
from groundwork.frames import get_registry
from livesync.services.hub import get_hub
from livesync.storage import get_engine, get_readers
from livesync.transports.routing import websocket_application
from tests.clients import PUSHED, RefusedError, Socket, SyncClient, error_of
from tests.factories import make_event
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.integration.livesync.transports.sockets import code_of_close, only_sqlite, request


@only_sqlite
@pytest.mark.parametrize(
    ("tag", "payload"),
    [
        ("SyncWsRpc.Pull", {"live": True, "cursor": {"_tag": "None"}}),
        ("SyncWsRpc.Push", {"batch": [], "backendId": {"_tag": "None"}}),
    ],
)
async def test_a_message_for_another_store_ends_the_socket_and_whatever_comes_behind_it(
    connect: Connect, tag: str, payload: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()

    client.send_json(
        [
            request("1", tag, payload, "other"),
            request("2", "SyncWsRpc.Pull", {"live": True, "cursor": {"_tag": "None"}}),
            request("3", "SyncWsRpc.Push", {"batch": [], "backendId": {"_tag": "None"}}),
        ]
    )

    assert error_of(await client.exit("1"))["cause"]["name"] == "StoreMismatchError"
    assert await code_of_close(client) == frames.POLICY
    assert get_hub().count() == 0
    assert await get_readers().run(get_engine().states, ["store", "other"]) == {}
    assert "speaks for another store" in caplog.text


@only_sqlite
async def test_a_frame_over_the_limit_closes_the_socket(connect: Connect, tune: Tune) -> None:
    tune(frame_max_bytes=1_000)
    client = await connect()

    client.push([make_event(1, args=json.dumps("x" * 1_000))])

    assert await code_of_close(client) == frames.TOO_BIG


@only_sqlite
async def test_a_push_almost_as_large_as_a_frame_is_stored_and_comes_back(
    connect: Connect, store: Store
) -> None:
    args = json.dumps("x" * 1_040_000)
    client = await connect()

    assert await client.exit(client.push([make_event(1, args=args), make_event(2)])) == PUSHED
    pull = client.pull()

    sizes: list[int] = []
    while sum(sizes) < 2:
        page = await client.page(pull)
        sizes.append(len(page["batch"]))
    assert sizes == [1, 1]


@pytest.mark.parametrize(
    "query",
    [b"", b"storeId=a", b"transport=ws", b"storeId=a&transport=http", b"storeId=%00&transport=ws"],
)
async def test_a_handshake_without_a_sync_query_for_sockets_is_refused(query: bytes) -> None:
    with pytest.raises(RefusedError) as refusal:
        await Socket(websocket_application, query).open()

    assert (refusal.value.status, refusal.value.body) == (400, "Invalid path")
    assert len(get_registry()) == 0


@only_sqlite
async def test_a_refused_handshake_leaves_no_store_behind(
    store: Store, tune: Tune, settings: Any
) -> None:
    settings.DEBUG = False
    tune(hooks="livesync.hooks.Hooks")
    bodies = set()
    await store.push([])

    for store_id in (store.id, "never seen"):
        with pytest.raises(RefusedError) as refusal:
            await SyncClient(websocket_application, store_id).open()
        bodies.add((refusal.value.status, refusal.value.body))

    assert bodies == {(400, "UnknownError: no authentication is configured on this server")}
    assert await get_readers().run(get_engine().states, ["never seen"]) == {}
