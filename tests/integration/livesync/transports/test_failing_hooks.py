"""Hooks that refuse, break or take their time harm one request, the same over every transport."""

import asyncio
import threading

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.calls import Pull, Push
from livesync.protocol.errors import AuthError, RefusedError
from livesync.protocol.responses import PullResponse
from livesync.transports.routing import websocket_application
from tests.clients import PUSHED, SUCCESS, SyncClient, error_of, until
from tests.factories import make_event, make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.peers import Dial, SocketPeer, stored
from tests.storage import STORE

HERE = "tests.integration.livesync.transports.test_failing_hooks."

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


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
