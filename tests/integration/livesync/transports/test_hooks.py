"""The hooks of a site around what clients ask for, the same over every transport."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol import records
from livesync.protocol.calls import Pull, Push
from livesync.protocol.errors import AuthError, RefusedError
from livesync.protocol.events import Cursor
from livesync.protocol.responses import PullResponse
from livesync.services.site import admit
from livesync.storage import get_engine, get_readers
from livesync.transports.routing import websocket_application
from livesync.transports.rpc import StoreRpc
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, Response, SyncClient, call_http, error_of, sync_query, until
from tests.clients import RefusedError as HandshakeRefusedError
from tests.factories import make_event, make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.rpc_client import MEDIA_TYPE, PATH, RpcClient, decode, split
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


class RpcPeer:
    """By RPC over HTTP, each request on its own."""

    def __init__(self, query: bytes, headers: Mapping[str, str], store_id: str) -> None:
        self._query = query
        self._headers = {"content-type": MEDIA_TYPE, **headers}
        self._client = RpcClient(self._post, store_id)

    async def push(self, batch: Any, **options: Any) -> Any:
        return await self._client.push(batch, **options)

    async def pull(self, cursor: tuple[str, int] | None = None) -> tuple[list[int], Any]:
        *chunks, last = await self._client.pull(cursor)
        return [number for chunk in chunks for number in _numbers(chunk)], last["exit"]

    async def knock(self) -> Response:
        """Only ask for the store."""
        body = records.encode([{"_tag": "Ping"}])
        return await call_http(SyncHandler(), self._query, body, path=PATH, headers=self._headers)

    async def _post(self, body: bytes) -> bytes:
        response = await call_http(
            SyncHandler(), self._query, body, path=PATH, headers=self._headers
        )
        answers = [one for data in split(b"".join(response.parts)) for one in decode(data)]
        return records.encode(answers)


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
        if self.transport == "rpc":
            return self._rpc(store_id, **options)
        client = SyncClient(websocket_application, store_id, **options)
        self._clients.append(client)
        return SocketPeer(await client.open())

    async def knock(self, store_id: str = STORE, *, payload: object = None) -> tuple[int, str]:
        """Only ask for the store; the status and text of the answer."""
        if self.transport == "http":
            query = sync_query(store_id, "http", payload)
            response = await call_http(SyncHandler(), query, {"_tag": "Ping"})
            return response.status, response.text
        if self.transport == "rpc":
            response = await self._rpc(store_id, payload=payload).knock()
            return response.status, response.text
        try:
            await self(store_id, payload=payload)
        except HandshakeRefusedError as refusal:
            return refusal.status, refusal.body
        return 101, ""

    def _rpc(
        self, store_id: str, *, payload: object = None, headers: Mapping[str, str] | None = None
    ) -> RpcPeer:
        return RpcPeer(sync_query(store_id, "http", payload), headers or {}, store_id)

    async def hang_up(self) -> None:
        for client in self._clients:
            await client.hang_up()


@pytest.fixture(params=["ws", "http", "rpc"])
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
    """Is not async, and lets nobody read who has no payload."""

    def may_pull(self, context: Context) -> bool:  # type: ignore[override] # in a thread
        return bool(context.payload)


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


def hidden(hook: Any) -> Any:
    """A decorator behind which a hook does not look ``async``."""

    @functools.wraps(hook)
    def call(*args: Any) -> Any:
        return hook(*args)

    return call


class Decorated(OpenHooks):
    """Has a decorator of its own on hooks that refuse."""

    @hidden
    async def validate_payload(self, payload: Any, context: Context) -> None:
        if payload == "nobody":
            raise AuthError("Nobody")

    @hidden
    async def may_push(self, context: Context) -> bool:
        return False


async def test_a_hook_that_does_not_look_async_is_awaited(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Decorated")

    assert await dial.knock(payload="nobody") == (400, "UnknownError: Nobody")
    refused = await (await dial()).push(make_events(1))
    assert error_of(refused)["cause"]["name"] == "AuthError"


class Undecided(OpenHooks):
    """Gives what is no answer."""

    async def may_push(self, context: Context) -> bool:
        return context.payload  # type: ignore[no-any-return] # what the test wants


@pytest.mark.parametrize("answer", [None, "yes", 1])
async def test_what_is_neither_yes_nor_no_refuses(
    dial: Dial, tune: Tune, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Undecided")

    refused = await (await dial(payload=answer)).push(make_events(1))

    assert error_of(refused)["cause"]["name"] == "HookFailedError"
    assert "may_push gave neither True nor False" in caplog.text


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


# what validate_payload is given


class Token(msgspec.Struct):
    """What a client of this site has to send."""

    token: str
    scope: str = "all"


class WithSchema(OpenHooks):
    """Wants a token."""

    payload_schema = Token

    async def validate_payload(self, payload: Token, context: Context) -> None:
        assert payload is context.payload
        if payload != Token("good"):
            raise AuthError(f"{payload.token} of {payload.scope}")


class WithBrokenSchema(OpenHooks):
    """Has no type that could be read."""

    payload_schema = "Token"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"token": "bad"}, "bad of all"),
        (None, "the payload does not fit: Expected `object`, got `null`"),
        ({"token": 1}, "the payload does not fit: Expected `str`, got `int` - at `$.token`"),
        ([], "the payload does not fit: Expected `object`, got `array`"),
    ],
)
async def test_a_payload_of_another_shape_is_refused_first(
    dial: Dial, tune: Tune, payload: object, reason: str
) -> None:
    tune(hooks=HERE + "WithSchema")

    assert await dial.knock(payload=payload) == (400, f"UnknownError: {reason}")


async def test_a_payload_of_the_right_shape_is_given_as_its_type(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "WithSchema")

    assert await (await dial(payload={"token": "good"})).push(make_events(1)) == PUSHED


async def test_a_schema_that_is_none_lets_nobody_in(
    dial: Dial, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "WithBrokenSchema")

    answer = await dial.knock(payload={"token": "good"})

    assert answer == (400, "UnknownError: the payload could not be validated")
    assert "a hook of the site failed: payload_schema" in caplog.text


async def test_a_transport_that_is_not_enabled_is_refused(dial: Dial, tune: Tune) -> None:
    tune(enabled_transports=tuple({"ws", "http", "rpc"} - {dial.transport}))

    refusal = f"UnknownError: the transport {dial.transport} is not enabled"
    assert await dial.knock() == (400, refusal)


# around pushes and pulls


class Recording(OpenHooks):
    """Writes down what it is asked, in order."""

    asked: list[tuple[Any, ...]] = []

    async def validate_payload(self, payload: Any, context: Context) -> None:
        self.asked.append(("validate_payload", payload, context.headers.get("x-mine")))

    async def stored_store_id(self, store_id: str, context: Context) -> str:
        self.asked.append(("stored_store_id", store_id, context.headers.get("x-mine")))
        return f"stored {store_id}"

    async def may_push(self, context: Context) -> bool:
        self.asked.append(("may_push", context))
        return True

    async def may_pull(self, context: Context) -> bool:
        self.asked.append(("may_pull", context))
        return True

    async def on_push(self, push: Push, context: Context) -> None:
        self.asked.append(("on_push", push, context))

    async def on_push_response(self, push: Push, context: Context) -> None:
        self.asked.append(("on_push_response", push, context))

    async def on_pull(self, pull: Pull, context: Context) -> None:
        self.asked.append(("on_pull", pull, context))

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        self.asked.append(("on_pull_response", response, context))


class PickingHeaders(Recording):
    """Makes headers of its own, and is not async."""

    def forward_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:  # type: ignore[override]
        return {"X-Made": headers["x-mine"] * 2}


@pytest.fixture
def asked() -> list[tuple[Any, ...]]:
    """What ``Recording`` was asked in this test."""
    Recording.asked.clear()
    return Recording.asked


def names(asked: list[tuple[Any, ...]]) -> list[str]:
    return [str(name) for name, *_ in asked]


async def test_the_hooks_of_a_push_come_in_order_with_what_it_says(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording", forward_headers=("X-Mine", "absent"))
    peer = await dial(payload={"a": 1}, headers={"x-mine": "yes", "x-other": "no"})
    events = make_events(2, args='{"a": [1, 2]}')

    assert await peer.push(events, backend_id=None) == PUSHED

    assert names(asked) == [
        "validate_payload",
        "stored_store_id",
        "may_push",
        "on_push",
        "on_push_response",
    ]
    (_, payload, mine), _, (_, context), (_, push, _), (_, pushed, _) = asked
    assert (payload, mine) == ({"a": 1}, "yes")
    assert (push.batch, push.backend_id, pushed) == (
        [msgspec.structs.replace(event, args='{"a":[1,2]}') for event in events],
        None,
        push,
    )
    assert context.headers == {"x-mine": "yes"}
    assert (context.store_id, context.stored_store_id) == (STORE, f"stored {STORE}")
    assert context.payload == {"a": 1}
    assert all(item[-1] is context for item in asked[3:])


async def test_the_hooks_of_a_pull_come_in_order_with_what_it_says(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording", page_max_events=2)
    peer = await dial()
    await peer.push([make_event(1, args=None), *make_events(2, after=1)])
    asked.clear()

    assert await peer.pull() == ([1, 2, 3], SUCCESS)

    seen = [item for item in asked if item[0] not in ("validate_payload", "stored_store_id")]
    assert names(seen) == ["may_pull", "on_pull", "on_pull_response", "on_pull_response"]
    (_, context), (_, pull, _), (_, first, _), (_, second, last_context) = seen
    assert (pull.cursor, pull.live, last_context) == (None, False, context)
    assert [sent.event for sent in first.events] == [
        make_event(1, args=None),
        make_event(2, args='{"text":"hello"}'),
    ]
    assert all(sent.created_at.endswith("Z") for sent in first.events)
    assert (first.remaining, second.remaining) == (1, 0)
    assert first.store_id == f"stored {STORE}"
    assert len(first.backend_id) == 21


async def test_a_pull_is_seen_with_its_cursor_whatever_history_it_knows(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording")

    _, exit = await (await dial()).pull(("another history", 7))

    assert error_of(exit)["_tag"] == "BackendIdMismatchError"
    assert names(asked)[-1] == "on_pull"
    assert asked[-1][1].cursor == Cursor("another history", 7)


async def test_the_empty_page_of_an_empty_store_is_not_seen(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording")

    assert await (await dial()).pull() == ([], SUCCESS)
    assert "on_pull_response" not in names(asked)


async def test_a_push_that_does_not_fit_is_seen_but_not_answered(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording")

    exit = await (await dial()).push(make_events(1, after=5))

    assert error_of(exit)["_tag"] == "ServerAheadError"
    assert names(asked)[-2:] == ["may_push", "on_push"]


async def test_a_push_of_nothing_is_answered_but_not_seen(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "Recording")

    assert await (await dial()).push([]) == PUSHED
    assert names(asked)[-2:] == ["may_push", "on_push_response"]


async def test_headers_can_be_picked_by_a_function(
    dial: Dial, tune: Tune, asked: list[tuple[Any, ...]]
) -> None:
    tune(hooks=HERE + "PickingHeaders", forward_headers=("x-mine",))

    await (await dial(headers={"x-mine": "yes"})).push(make_events(1))

    assert asked[-1][-1].headers == {"x-made": "yesyes"}


# hooks that raise


class PanicError(BaseException):
    """As libraries in Rust raise it: no ``Exception``."""


class Moody(OpenHooks):
    """Raises where the payload says so, and what it says."""

    def _may_raise(self, name: str, context: Context | None) -> None:
        if context is not None and context.payload and name in context.payload:
            raise {
                "refusal": RefusedError(f"{name} says no"),
                "auth": AuthError(f"{name} says no"),
                "bug": KeyError("a secret of the site"),
                "exit": SystemExit(3),
                "cancel": asyncio.CancelledError(),
                "stop": StopIteration(),
                "panic": PanicError(),
            }[context.payload[name]]

    async def may_push(self, context: Context) -> bool:
        self._may_raise("may_push", context)
        return True

    async def may_pull(self, context: Context) -> bool:
        self._may_raise("may_pull", context)
        return True

    async def on_push(self, push: Push, context: Context) -> None:
        self._may_raise("on_push", context)

    async def on_push_response(self, push: Push, context: Context) -> None:
        self._may_raise("on_push_response", context)

    async def on_pull(self, pull: Pull, context: Context) -> None:
        self._may_raise("on_pull", context)

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        self._may_raise("on_pull_response", context)


class MoodyInThreads(Moody):
    """The same, not async."""

    def on_push(self, push: Push, context: Context) -> None:  # type: ignore[override]
        self._may_raise("on_push", context)

    def on_pull(self, pull: Pull, context: Context) -> None:  # type: ignore[override]
        self._may_raise("on_pull", context)


@pytest.mark.parametrize("hook", ["may_push", "on_push", "on_push_response"])
async def test_a_push_that_a_hook_refuses_is_told_so(dial: Dial, tune: Tune, hook: str) -> None:
    tune(hooks=HERE + "Moody")

    exit = await (await dial(payload={hook: "refusal"})).push(make_events(1))

    assert error_of(exit) == {
        "_tag": "UnknownError",
        "cause": {"name": "RefusedError", "message": f"{hook} says no"},
    }
    # an answer that fails changes nothing about what was stored before it
    assert await stored(STORE) == ([1] if hook == "on_push_response" else None)


@pytest.mark.parametrize("hook", ["may_pull", "on_pull", "on_pull_response"])
async def test_a_pull_that_a_hook_refuses_is_told_so(
    dial: Dial, tune: Tune, store: Store, hook: str
) -> None:
    tune(hooks=HERE + "Moody")
    await store.push(make_events(1))
    peer = await dial(payload={hook: "auth"})

    for _ in range(2):  # the connection goes on
        numbers, exit = await peer.pull()
        assert numbers == []
        assert error_of(exit)["cause"] == {"name": "AuthError", "message": f"{hook} says no"}


@pytest.mark.parametrize("site_hooks", ["Moody", "MoodyInThreads"])
@pytest.mark.parametrize("mood", ["bug", "exit", "cancel", "stop", "panic"])
async def test_a_hook_with_a_bug_refuses_and_says_nothing(
    dial: Dial, tune: Tune, site_hooks: str, mood: str, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + site_hooks)
    peer = await dial(payload={"on_push": mood, "on_pull": mood})

    pushed = await peer.push(make_events(1))
    _, pulled = await peer.pull()

    failed = {"name": "HookFailedError", "message": "the server failed"}
    assert error_of(pushed) == error_of(pulled) == {"_tag": "UnknownError", "cause": failed}
    assert "a hook of the site failed: on_push" in caplog.text
    assert "a hook of the site failed: on_pull" in caplog.text
    assert await stored(STORE) is None


class EndingInThreads(OpenHooks):
    """Raises in a thread what would end the loop that waits for it."""

    def on_push(self, push: Push, context: Context) -> None:  # type: ignore[override]
        raise {"interrupt": KeyboardInterrupt, "close": GeneratorExit}[str(context.payload)]


@pytest.mark.parametrize("mood", ["interrupt", "close"])
async def test_what_would_end_the_loop_does_not_leave_a_thread(
    dial: Dial, tune: Tune, mood: str
) -> None:
    tune(hooks=HERE + "EndingInThreads")

    exit = await (await dial(payload=mood)).push(make_events(1))

    assert error_of(exit)["cause"]["name"] == "HookFailedError"


class Meddling(OpenHooks):
    """Changes what it is shown."""

    async def on_push(self, push: Push, context: Context) -> None:
        push.batch.clear()

    async def on_push_response(self, push: Push, context: Context) -> None:
        push.batch[0] = make_event(7)


async def test_what_a_hook_does_to_a_batch_is_not_what_is_stored(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Meddling")

    assert await (await dial()).push(make_events(2)) == PUSHED

    assert await stored(STORE) == [1, 2]


async def test_a_refused_push_harms_none_that_is_stored_with_it(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Moody")
    good, bad = await dial(), await dial(payload={"on_push": "bug"})

    exits = await asyncio.gather(*(peer.push(make_events(1)) for peer in (bad, good)))

    assert exits[1] == PUSHED
    assert error_of(exits[0])["cause"]["name"] == "HookFailedError"
    assert await stored(STORE) == [1]


# hooks that take their time


class Waiting(OpenHooks):
    """Waits in a thread until the test lets it go on."""

    gate = threading.Event()
    began: list[int] = []
    ended: list[int] = []

    def on_push(self, push: Push, context: Context) -> None:  # type: ignore[override]
        self.began.append(push.batch[0].seq_num)
        if context.payload == "wait" and push.batch[0].seq_num == 1:
            assert self.gate.wait(30)

    async def on_push_response(self, push: Push, context: Context) -> None:
        self.ended.append(push.batch[0].seq_num)


@pytest.fixture
def gate() -> threading.Event:
    """Holds ``Waiting`` up until it is set."""
    Waiting.gate.clear()
    Waiting.began.clear()
    Waiting.ended.clear()
    return Waiting.gate


async def test_a_slow_hook_keeps_nobody_else_waiting(tune: Tune, gate: threading.Event) -> None:
    tune(hooks=HERE + "Waiting")
    async with (
        SyncClient(websocket_application, STORE, payload="wait") as slow,
        SyncClient(websocket_application, "another") as other,
    ):
        waiting = slow.push(make_events(1))
        await until(lambda: Waiting.began == [1])

        await slow.ping()
        assert await SocketPeer(slow).pull() == ([], SUCCESS)
        assert await other.exit(other.push(make_events(1))) == PUSHED
        gate.set()
        assert await slow.exit(waiting) == PUSHED


async def test_pushes_of_one_socket_keep_their_order(tune: Tune, gate: threading.Event) -> None:
    tune(hooks=HERE + "Waiting")
    async with SyncClient(websocket_application, STORE, payload="wait") as client:
        requests = [client.push(make_events(1, after=head)) for head in range(5)]
        await until(lambda: Waiting.began == [1])
        gate.set()

        assert [await client.exit(request_id) for request_id in requests] == [PUSHED] * 5
    assert Waiting.began == [1, 2, 3, 4, 5]


async def test_a_push_is_seen_through_although_its_client_has_gone(
    tune: Tune, gate: threading.Event
) -> None:
    tune(hooks=HERE + "Waiting")
    async with SyncClient(websocket_application, STORE, payload="wait") as client:
        client.push(make_events(1))
        await until(lambda: Waiting.began == [1])

    gate.set()

    await until(lambda: Waiting.ended == [1])
    assert await stored(STORE) == [1]


class NeverAnswering(OpenHooks):
    """Waits for what never comes."""

    cancelled: list[bool] = []

    async def on_pull(self, pull: Pull, context: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.append(True)


async def test_an_interrupt_ends_the_wait_for_a_hook(tune: Tune) -> None:
    tune(hooks=HERE + "NeverAnswering")
    NeverAnswering.cancelled.clear()
    async with SyncClient(websocket_application, STORE) as client:
        request_id = client.pull(live=True)
        await client.ping()
        client.interrupt(request_id)
        exit = await client.exit(request_id)

    assert exit["cause"]["_tag"] == "Interrupt"
    await until(lambda: NeverAnswering.cancelled == [True])


# what goes out live


class HidingFromGuests(OpenHooks):
    """Lets the payload "guest" see no secret; who sees everything at once, does not look."""

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        is_secret = any(sent.event.name == "secret" for sent in response.events)
        if is_secret and (context is None or context.payload == "guest"):
            raise RefusedError("not for guests")


async def test_a_live_pull_that_may_not_see_a_push_ends_and_others_go_on(
    tune: Tune, store: Store
) -> None:
    tune(hooks=HERE + "HidingFromGuests")
    async with (
        SyncClient(websocket_application, STORE, payload="guest") as guest,
        SyncClient(websocket_application, STORE, payload="owner") as owner,
    ):
        at_guest, at_owner = guest.pull(live=True), owner.pull(live=True)
        await guest.page(at_guest)
        await owner.page(at_owner)

        await store.push(make_events(1))
        await store.push(make_events(1, after=1, name="secret"))

        assert await owner.numbers(at_owner, 2) == [1, 2]
        assert await guest.numbers(at_guest, 1) == [1]
        assert error_of(await guest.exit(at_guest))["cause"]["message"] == "not for guests"
        await guest.ping()


async def test_updates_by_rpc_are_seen_too(tune: Tune, store: Store) -> None:
    tune(hooks=HERE + "HidingFromGuests")
    updates: list[Any] = []

    async def take(update: Any) -> None:
        updates.append(update)

    context = Context(store_id=STORE, transport="rpc", headers={}, payload="guest")
    async with StoreRpc(await admit(context), sync_update_rpc=take) as stub:
        await RpcClient(stub.rpc, STORE).pull_live()
        await store.push(make_events(1, name="secret"))
        await until(lambda: bool(updates))

    assert error_of(updates[0]["exit"])["cause"]["message"] == "not for guests"
