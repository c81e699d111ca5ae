"""Pushes over a link that is cut wherever a test likes: nothing twice, nothing lost, no guess."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from livesync.client.errors import (
    AccessRefusedError,
    InDoubtError,
    LostError,
    UnreachableError,
    WrongAnswerError,
)
from livesync.client.events import Author
from livesync.client.link import Sent
from livesync.client.pusher import Pusher
from livesync.client.reader import Reader
from livesync.protocol.admission import admit, check_backend_id
from livesync.protocol.answers import PulledEvent, PulledPage
from livesync.protocol.errors import RemoteError, ServerAheadError, StorageUnavailableError
from livesync.protocol.events import Cursor, Event
from tests.factories import make_events

AUTHOR = Author("client-1", "session-1")
LOST = LostError("cut")

Fault = Callable[["Store", Sequence[Event]], None]


class Store:
    """A store in memory behind a link; each push meets the next of its faults, if any is left."""

    def __init__(self, *faults: Fault | None) -> None:
        self.backend_id = "here"
        self.events: list[Event] = []
        self.pushes = 0
        self.pulls = 0
        self._faults = list(faults)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def append(self, batch: Sequence[Event]) -> None:
        admit(self.events[-1].seq_num if self.events else 0, batch)
        self.events += batch

    def append_of_others(self, count: int = 1) -> None:
        after = self.events[-1].seq_num if self.events else 0
        self.append(make_events(count, after=after, name="other", client_id="other"))

    async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
        self.pushes += 1
        fault = self._faults.pop(0) if self._faults else None
        if fault is not_sent:
            raise LOST
        sent()
        if fault is not None:
            fault(self, batch)
        check_backend_id(backend_id, stored=self.backend_id)
        self.append(batch)

    async def pull(self, cursor: Cursor | None, *, live: bool) -> AsyncGenerator[PulledPage, None]:
        self.pulls += 1
        check_backend_id(cursor.backend_id if cursor else None, stored=self.backend_id)
        events = [
            PulledEvent(
                e.name,
                e.args,
                e.seq_num,
                e.parent_seq_num,
                e.client_id,
                e.session_id,
                self.backend_id,
                None,
            )
            for e in self.events
            if cursor is None or e.seq_num > cursor.seq_num
        ]
        yield PulledPage(self.backend_id, events, 0)

    async def close(self) -> None:
        """Nothing is open."""

    def check_caller(self) -> None:
        """Anybody may."""


def not_sent(store: Store, batch: Sequence[Event]) -> None:
    """The link breaks before anything goes out."""


def never_arrives(store: Store, batch: Sequence[Event]) -> None:
    raise LOST


def is_stored(store: Store, batch: Sequence[Event]) -> None:
    store.append(batch)
    raise LOST


def is_stored_and_others_follow(store: Store, batch: Sequence[Event]) -> None:
    store.append(batch)
    store.append_of_others(200)
    raise LOST


def others_come_first(store: Store, batch: Sequence[Event]) -> None:
    store.append_of_others()
    raise LOST


def with_error(error: Exception) -> Fault:
    def fault(store: Store, batch: Sequence[Event]) -> None:
        raise error

    return fault


def stored_with_error(error: Exception) -> Fault:
    def fault(store: Store, batch: Sequence[Event]) -> None:
        store.append(batch)
        raise error

    return fault


def pusher(store: Store, *, timeout_s: float | None = 20.0) -> Pusher:
    reader = Reader(store, "notes", timeout_s=timeout_s)
    return Pusher(store, reader, AUTHOR, timeout_s=timeout_s)


async def push(store: Store, *names: str, **options: Any) -> Cursor:
    after, rebase = options.pop("after", None), options.pop("rebase", None)
    return await pusher(store, **options).push([(name,) for name in names], after, rebase)


@pytest.mark.parametrize(
    "faults",
    [
        [not_sent],
        [never_arrives],
        [is_stored],
        [never_arrives, is_stored],
        [is_stored, never_arrives, not_sent],
        [is_stored_and_others_follow],
        [with_error(RemoteError("later", name=StorageUnavailableError.__name__))],
    ],
)
async def test_a_push_that_was_cut_is_stored_once(faults: list[Fault]) -> None:
    store = Store(*faults)

    end = await push(store, "a", "b")

    assert [name for name in store.names if name != "other"] == ["a", "b"]
    assert end == Cursor("here", 2)


async def test_every_batch_of_a_long_push_is_stored_once() -> None:
    store = Store(is_stored, never_arrives, is_stored, is_stored)
    names = [f"event-{number}" for number in range(350)]

    await push(store, *names)

    assert store.names == names


async def test_who_came_first_stays_first_when_a_cut_push_is_not_stored() -> None:
    store = Store(others_come_first)

    end = await push(store, "a")

    assert store.names == ["other", "a"]
    assert end == Cursor("here", 2)


async def test_a_push_behind_a_place_is_refused_after_a_cut_as_well() -> None:
    store = Store(others_come_first)

    with pytest.raises(ServerAheadError):
        await push(store, "a", after=Cursor("here", 0))

    assert store.names == ["other"]


async def test_a_cut_push_behind_a_place_is_not_rebased_on_itself() -> None:
    store = Store(is_stored_and_others_follow)

    def rebase(drafts: Any, newer: Any) -> Any:
        raise AssertionError

    await push(store, "a", after=Cursor("here", 0), rebase=rebase)

    assert store.names.count("a") == 1


async def test_only_what_is_not_stored_is_rebased() -> None:
    store = Store()
    names = [f"event-{number}" for number in range(150)]

    def others(store: Store, batch: Sequence[Event]) -> None:
        store.append_of_others()

    store._faults = [None, others]

    async def rebase(drafts: Any, newer: Any) -> Any:
        assert [name for (name,) in drafts] == names[100:]
        assert [event.name for event in newer] == ["other"]
        return drafts

    await push(store, *names, after=Cursor("here", 0), rebase=rebase)

    assert store.names == [*names[:100], "other", *names[100:]]


async def test_without_an_answer_in_time_nobody_guesses() -> None:
    unsent, unknown = Store(*[not_sent] * 50), Store(is_stored, *[not_sent] * 50)

    with pytest.raises(UnreachableError, match="cut"):
        await push(unsent, "a", timeout_s=0.2)
    with pytest.raises(InDoubtError, match="cut"):
        await push(unknown, "a", timeout_s=0.2)


async def test_a_server_that_never_answers_leaves_doubt() -> None:
    class Silent(Store):
        async def push(self, batch: Sequence[Event], backend_id: str, sent: Sent) -> None:
            sent()
            await asyncio.get_running_loop().create_future()

    with pytest.raises(InDoubtError):
        await push(Silent(), "a", timeout_s=0.05)


@pytest.mark.parametrize(
    "error",
    [
        RemoteError("no", name="AuthError"),
        AccessRefusedError(status=400, reason="no"),
        WrongAnswerError("nonsense"),
    ],
)
async def test_a_refusal_after_a_cut_does_not_say_that_nothing_is_stored(error: Exception) -> None:
    with pytest.raises(InDoubtError) as raised:
        await push(Store(is_stored, with_error(error)), "a")

    assert raised.value.__cause__ is error


async def test_a_refusal_alone_is_raised_as_it_is() -> None:
    with pytest.raises(RemoteError, match="no"):
        await push(Store(with_error(RemoteError("no"))), "a")


async def test_nonsense_instead_of_an_answer_leaves_doubt() -> None:
    with pytest.raises(InDoubtError, match="nonsense"):
        await push(Store(stored_with_error(WrongAnswerError("nonsense"))), "a")


async def test_after_a_reset_a_push_without_a_place_goes_to_the_new_history() -> None:
    store = Store()
    pushes = pusher(store)
    await pushes.push([("a",)], None, None)
    store.backend_id, store.events = "new", []

    end = await pushes.push([("b",)], None, None)

    assert (end, store.names) == (Cursor("new", 1), ["b"])


async def test_the_head_is_remembered() -> None:
    store = Store()
    pushes = pusher(store)
    await pushes.push([("a",)], None, None)
    requests = store.pushes + store.pulls

    await pushes.push([("b",)], None, None)

    assert store.pushes + store.pulls == requests + 1


async def test_a_server_that_refuses_its_own_head_is_not_asked_for_ever() -> None:
    refusal = ServerAheadError(expected=0, provided=0)

    with pytest.raises(WrongAnswerError):
        await push(Store(*[with_error(refusal)] * 9), "a")


async def test_a_rebase_without_a_place_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="after"):
        await push(Store(), "a", rebase=lambda drafts, newer: drafts)
