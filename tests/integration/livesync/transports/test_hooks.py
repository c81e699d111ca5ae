"""The hooks of a site around what clients ask for, the same over every transport."""

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.calls import Pull, Push
from livesync.protocol.errors import AuthError, RefusedError
from livesync.protocol.events import Cursor
from livesync.protocol.responses import PullResponse
from livesync.services.site import admit
from livesync.transports.routing import websocket_application
from livesync.transports.rpc import StoreRpc
from tests.clients import PUSHED, SUCCESS, SyncClient, error_of, until
from tests.factories import make_event, make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.peers import Dial, stored
from tests.rpc_client import RpcClient
from tests.storage import STORE

HERE = "tests.integration.livesync.transports.test_hooks."

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


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
