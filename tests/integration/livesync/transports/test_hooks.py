"""The hooks of a site around what clients ask for, the same over every transport."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.errors import AuthError
from livesync.storage import get_engine, get_readers
from livesync.transports.routing import websocket_application
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, RefusedError, SyncClient, call_http, error_of, sync_query
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.storage import STORE

HERE = "tests.integration.livesync.transports.test_hooks."
PUSHED = {"_tag": "Success", "value": {}}
SUCCESS = {"_tag": "Success"}

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


class Peer(Protocol):
    """A client of one store over some transport."""

    async def push(self, batch: Any, *, backend_id: str | None = None) -> Any:
        """The exit of a push."""

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        """The numbers that a pull gives, and its exit."""


class SocketPeer:
    """Over a WebSocket, which stays open."""

    def __init__(self, client: SyncClient) -> None:
        self.client = client

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self.client.exit(self.client.push(batch, **options))

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        request_id = self.client.pull(cursor)
        numbers: list[int] = []
        while (message := await self.client.answer(request_id))["_tag"] == "Chunk":
            numbers += _numbers(message)
            self.client.ack(request_id)
        return numbers, message["exit"]


class HttpPeer:
    """Over HTTP, each request on its own."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self._client.push(batch, **options)

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        *chunks, last = await self._client.pull(cursor)
        return [number for chunk in chunks for number in _numbers(chunk)], last["exit"]


def _numbers(chunk: Mapping[str, Any]) -> list[int]:
    return [item["eventEncoded"]["seqNum"] for page in chunk["values"] for item in page["batch"]]


class Dial:
    """Makes peers over one transport, and hangs up at the end."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self._clients: list[SyncClient] = []

    async def __call__(self, store_id: str = STORE, **options: Any) -> Peer:
        if self.transport == "http":
            return HttpPeer(HttpClient(SyncHandler(), store_id, **options))
        client = SyncClient(websocket_application, store_id, **options)
        self._clients.append(client)
        return SocketPeer(await client.open())

    async def knock(self, store_id: str = STORE, *, payload: object = None) -> tuple[int, str]:
        """Only ask for the store; the status and text of the answer."""
        if self.transport == "http":
            query = sync_query(store_id, "http", payload)
            response = await call_http(SyncHandler(), query, {"_tag": "Ping"})
            return response.status, response.text
        try:
            await self(store_id, payload=payload)
        except RefusedError as refusal:
            return refusal.status, refusal.body
        return 101, ""

    async def hang_up(self) -> None:
        for client in self._clients:
            await client.hang_up()


@pytest.fixture(params=["ws", "http"])
async def dial(request: pytest.FixtureRequest, store: Store) -> AsyncIterator[Dial]:
    dial = Dial(request.param)
    yield dial
    await dial.hang_up()


async def stored(store_id: str) -> list[int] | None:
    """The numbers in the storage; None where there is no such store."""
    limits = {"max_events": 100, "max_bytes": 100_000}
    found = await get_readers().run(lambda: get_engine().read(store_id, 0, **limits))
    return found and list(found.seq_nums)


# what may be asked for


class ReadOnly(OpenHooks):
    """Lets everybody read, and the payload "writer" write."""

    async def may_push(self, context: Context) -> bool:
        return bool(context.payload == "writer")


class WriteOnly(OpenHooks):
    """Is not async, and forgets to say yes."""

    def may_pull(self, context: Context) -> bool:  # type: ignore[override] # in a thread
        return None  # type: ignore[return-value] # what is not true refuses


async def test_who_may_only_read_stores_nothing(dial: Dial, tune: Tune, store: Store) -> None:
    tune(hooks=HERE + "ReadOnly")
    reader, writer = await dial(), await dial(payload="writer")

    refused = await reader.push(make_events(1))
    assert await stored(STORE) is None
    assert await writer.push(make_events(1)) == PUSHED

    assert error_of(refused)["_tag"] == "UnknownError"
    assert error_of(refused)["cause"]["name"] == "AuthError"
    assert await reader.pull() == ([1], SUCCESS)


async def test_who_may_only_write_reads_nothing(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "WriteOnly")
    peer = await dial()

    assert await peer.push(make_events(1)) == PUSHED
    numbers, exit = await peer.pull()

    assert numbers == []
    assert error_of(exit)["cause"] == {
        "name": "AuthError",
        "message": "Not allowed to pull from this store",
    }


async def test_a_live_pull_that_is_refused_hears_of_nothing(tune: Tune, store: Store) -> None:
    tune(hooks=HERE + "WriteOnly")
    async with SyncClient(websocket_application, STORE) as client:
        exit = await client.exit(client.pull(live=True))
        await store.push(make_events(1))
        await client.ping()

        assert error_of(exit)["cause"]["name"] == "AuthError"
        assert client.is_silent


# what a store is called


class Tenants(OpenHooks):
    """The payload names a tenant, whose stores are kept apart from those of others."""

    async def validate_payload(self, payload: Any, context: Context) -> Context:
        return replace(context, payload={"tenant": payload})

    def stored_store_id(self, store_id: str, context: Context) -> str:  # type: ignore[override]
        if context.payload["tenant"] == "nobody":
            raise AuthError("No tenant")
        return f"{context.payload['tenant']}/{store_id}"


async def test_tenants_have_stores_of_the_same_name(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Tenants")
    one, two = await dial(payload="one"), await dial(payload="two")

    assert await one.push(make_events(2)) == PUSHED
    assert await two.push(make_events(1)) == PUSHED

    assert await one.pull() == ([1, 2], SUCCESS)
    assert await two.pull() == ([1], SUCCESS)
    assert [await stored(name) for name in ("one/store", "two/store", STORE)] == [[1, 2], [1], None]


async def test_a_live_pull_hears_of_its_tenant_s_store_only(tune: Tune) -> None:
    tune(hooks=HERE + "Tenants")
    async with (
        SyncClient(websocket_application, STORE, payload="one") as one,
        SyncClient(websocket_application, STORE, payload="two") as two,
    ):
        live = one.pull(live=True)
        await one.page(live)
        await two.exit(two.push(make_events(3)))
        await one.exit(one.push(make_events(1)))

        assert await one.numbers(live, 1) == [1]


@pytest.mark.parametrize(
    ("tenant", "text"),
    [
        ("nobody", "UnknownError: No tenant"),
        ("x" * 600, "UnknownError: the stored store id is empty or too long"),
        ("a\nb", "UnknownError: the stored store id is not printable"),
        ("\ud83d", "UnknownError: the stored store id is not printable"),
    ],
)
async def test_a_store_that_cannot_be_kept_is_refused(
    dial: Dial, tune: Tune, tenant: str, text: str
) -> None:
    tune(hooks=HERE + "Tenants")

    assert await dial.knock(payload=tenant) == (400, text)


# what validate_payload gives


class Deriving(OpenHooks):
    """Adds what it found out, or what it must not change."""

    seen: list[Context] = []

    async def validate_payload(self, payload: Any, context: Context) -> Any:
        if payload == "another store":
            return replace(context, store_id="another")
        if payload == "no context":
            return True
        return replace(context, payload="derived", expires_at=datetime(2100, 1, 1, tzinfo=UTC))

    async def may_push(self, context: Context) -> bool:
        self.seen.append(context)
        return True


async def test_later_hooks_get_the_context_that_was_derived(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Deriving")
    Deriving.seen.clear()

    await (await dial(payload="raw")).push(make_events(1))

    (context,) = Deriving.seen
    assert (context.store_id, context.stored_store_id) == (STORE, STORE)
    assert (context.transport, context.payload) == (dial.transport, "derived")
    assert context.expires_at == datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("payload", ["another store", "no context"])
async def test_a_context_of_another_store_is_a_bug_that_lets_nobody_in(
    dial: Dial, tune: Tune, payload: str, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Deriving")

    answer = await dial.knock(payload=payload)

    assert answer == (400, "UnknownError: the payload could not be validated")
    assert "neither None nor a context of the same store" in caplog.text
