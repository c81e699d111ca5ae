"""Hooks that do not return: who asked is answered, and nobody else waits, over every transport."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.calls import Pull, Push
from livesync.services import site
from livesync.services.hook_threads import HookThreads
from tests.clients import PUSHED, SUCCESS, error_of
from tests.factories import make_events
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.peers import Dial, stored
from tests.storage import STORE

HERE = "tests.integration.livesync.transports.test_hanging_hooks."
FAILED = {"name": "HookFailedError", "message": "the server failed"}
SOON_S = 0.05
"""Long enough for a hook to begin waiting, and no more than that."""

LONG_S = 600.0

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


class Forgetful(OpenHooks):
    """Waits for what never comes, where the payload says so."""

    cancelled: list[str] = []

    async def on_push(self, push: Push, context: Context) -> None:
        await self._wait("on_push", context)

    async def on_pull(self, pull: Pull, context: Context) -> None:
        await self._wait("on_pull", context)

    async def _wait(self, name: str, context: Context) -> None:
        if context.payload != name:
            return
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.append(name)


async def test_an_async_hook_that_does_not_return_is_cancelled(
    dial: Dial, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Forgetful", hook_timeout_s=SOON_S)
    Forgetful.cancelled.clear()
    hangs_at_push, hangs_at_pull = await dial(payload="on_push"), await dial(payload="on_pull")

    pushed = await hangs_at_push.push(make_events(1))
    _, pulled = await hangs_at_pull.pull()

    assert error_of(pushed) == error_of(pulled) == {"_tag": "UnknownError", "cause": FAILED}
    assert Forgetful.cancelled == ["on_push", "on_pull"]
    assert "a hook of the site failed: on_push has not returned for 0.05 s" in caplog.text
    assert await stored(STORE) is None
    # the connections go on
    assert await hangs_at_pull.push(make_events(1)) == PUSHED
    assert await hangs_at_push.pull() == ([1], SUCCESS)


class Impatient(OpenHooks):
    """Has a time limit of its own, which is as much a bug as any."""

    async def on_push(self, push: Push, context: Context) -> None:
        raise TimeoutError("a service of the site")


async def test_the_time_limit_of_a_hook_itself_is_a_bug_like_any(
    dial: Dial, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Impatient")

    refused = await (await dial()).push(make_events(1))

    assert error_of(refused)["cause"] == FAILED
    assert "TimeoutError: a service of the site" in caplog.text


class Stuck(OpenHooks):
    """Not async: waits until the test lets it go on, where the payload says so."""

    gate = threading.Event()
    began: list[str] = []

    def on_push(self, push: Push, context: Context) -> None:  # type: ignore[override]
        if context.payload == "stuck":
            self.began.append(context.store_id)
            assert self.gate.wait(LONG_S)

    def on_pull(self, pull: Pull, context: Context) -> None:  # type: ignore[override]
        """Needs a thread as well."""


@pytest.fixture
def one_thread(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hooks that are not async have one; ``Stuck`` is let go in the end."""
    threads = HookThreads(1)
    monkeypatch.setattr(site, "_threads", lambda: threads)
    Stuck.gate.clear()
    Stuck.began.clear()
    tune(hooks=HERE + "Stuck", hook_timeout_s=LONG_S)
    yield
    Stuck.gate.set()


@pytest.mark.usefixtures("one_thread")
async def test_a_hook_that_keeps_its_thread_is_answered_for_and_keeps_nobody_waiting(
    dial: Dial, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, other = await dial(payload="stuck"), await dial()

    tune(hook_timeout_s=SOON_S)
    while not Stuck.began:  # else its time was up before there was a thread
        refused = await stuck.push(make_events(1))
    tune(hook_timeout_s=LONG_S)

    assert error_of(refused) == {"_tag": "UnknownError", "cause": FAILED}
    # another thread takes the place of the one that is kept
    assert await stuck.pull() == ([], SUCCESS)
    assert await other.pull() == ([], SUCCESS)
    assert "a hook of the site failed: on_push has not returned for 0.05 s" in caplog.text
    assert "a hook of the site hangs: on_push; 1 threads are kept" in caplog.text
    # a push would keep the next one
    assert error_of(await stuck.push(make_events(1))) == {"_tag": "UnknownError", "cause": FAILED}
    assert "a hook of the site failed: on_push was not called: " in caplog.text
    assert Stuck.began == [STORE]
