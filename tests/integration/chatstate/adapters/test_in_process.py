"""``DjangoStateAdapter`` on each engine. What its methods promise is in the conformance suite."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from chat_sdk.types import StateAdapter
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from pytest_django import Settings

from chatstate.adapters import DjangoStateAdapter, in_process
from chatstate.models import Shard
from chatstate.protocol.errors import FrozenError, InvalidError, TooLargeError, UnavailableError
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Job
from groundwork.connections import InsideTransactionError
from tests.clients import DEADLINE_S

ALIAS = "chatstate"
ENTRY: Any = {"message": {"number": 1}, "enqueuedAt": 0, "expiresAt": 4_102_444_800_000}

pytestmark = pytest.mark.usefixtures("chat_database")


@pytest.fixture
def sitewide_transaction() -> Iterator[None]:
    """The test runs inside ``atomic()`` on a database of the site's own."""
    known = connections.settings
    former, former_connection = known["default"], connections["default"]
    known["default"] = {**former, "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    connections["default"] = connections.create_connection("default")
    try:
        with transaction.atomic("default"):
            yield
    finally:
        connections["default"].close()
        connections["default"], known["default"] = former_connection, former


async def connected(**options: Any) -> DjangoStateAdapter:
    adapter = DjangoStateAdapter("bot", **options)
    await adapter.connect()
    return adapter


async def use(adapter: DjangoStateAdapter, key: str = "key") -> None:
    await adapter.connect()
    await adapter.set(key, 1)
    assert await adapter.get(key) == 1


async def test_it_is_a_state_adapter() -> None:
    assert isinstance(DjangoStateAdapter("bot"), StateAdapter)


@pytest.mark.parametrize("namespace", ["", "a b", "x" * 201])
def test_a_namespace_is_checked_at_once(namespace: str) -> None:
    with pytest.raises(InvalidError, match="namespace must be"):
        DjangoStateAdapter(namespace)


async def test_namespaces_are_apart() -> None:
    one, other = DjangoStateAdapter("one"), DjangoStateAdapter("other")
    await use(one)
    await other.connect()

    assert await other.get("key") is None


def test_connect_wants_a_migrated_database_and_can_be_called_again() -> None:
    adapter = DjangoStateAdapter("bot")
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'away' WHERE app = %s", [ALIAS])
        with pytest.raises(ImproperlyConfigured, match="migrate --database chatstate"):
            asyncio.run(adapter.connect())
        cursor.execute("UPDATE django_migrations SET app = %s WHERE app = 'away'", [ALIAS])

    asyncio.run(use(adapter))


def test_connect_says_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"NAME": "file:/nowhere/at/all?mode=rw", "PORT": "9"}  # of either engine
    with monkeypatch.context() as patch:
        patch.setitem(connections.settings, ALIAS, {**connections.settings[ALIAS], **missing})
        with pytest.raises(UnavailableError):
            asyncio.run(DjangoStateAdapter("bot").connect())


def test_it_outlives_its_event_loop() -> None:
    adapter = DjangoStateAdapter("bot")
    for number in range(3):
        asyncio.run(use(adapter, f"key {number}"))


def test_several_loops_can_use_it_at_once() -> None:
    adapter = DjangoStateAdapter("bot")
    taken: list[int] = []

    async def take() -> None:
        await adapter.connect()
        won = await asyncio.gather(
            *(adapter.set_if_not_exists(f"key {number}", 1) for number in range(50))
        )
        taken.append(sum(won))

    threads = [threading.Thread(target=asyncio.run, args=(take(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(taken) == 50
    assert len(taken) == 4


def test_a_turn_that_was_cut_short_harms_no_later_loop() -> None:
    adapter = DjangoStateAdapter("bot")

    async def begin() -> None:
        await adapter.connect()
        task = asyncio.ensure_future(adapter.set("key", 1))
        task.cancel()

    asyncio.run(begin())
    asyncio.run(use(adapter))


async def test_the_shared_thread_is_not_needed() -> None:
    adapter = DjangoStateAdapter("bot")
    freed = threading.Event()
    busy = asyncio.ensure_future(sync_to_async(freed.wait)())
    try:
        await use(adapter)
        assert not busy.done()
    finally:
        freed.set()
        await busy


async def test_what_is_called_in_one_turn_is_handed_in_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = await connected()
    sizes: list[int] = []
    start = in_process.start

    def count(namespace: str, operations: Sequence[Any], callback: Any, **options: Any) -> None:
        sizes.append(len(operations))
        start(namespace, operations, callback, **options)

    monkeypatch.setattr(in_process, "start", count)
    await asyncio.gather(*(adapter.set(f"key {number}", number) for number in range(20)))

    assert sizes == [20]


async def test_a_call_that_is_refused_harms_none_of_its_turn() -> None:
    adapter = await connected()

    outcomes = await asyncio.gather(
        adapter.set("a", 1),
        adapter.set("a" * 2_000, 1),
        adapter.set("b", "x" * 1_000_000),
        adapter.set("c", 1),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        InvalidError,
        TooLargeError,
        type(None),
    ]
    assert await adapter.get("c") == 1


@pytest.mark.usefixtures("sitewide_transaction")
def test_it_can_be_used_inside_a_transaction_of_the_site() -> None:
    adapter = DjangoStateAdapter("bot")

    asyncio.run(use(adapter, "one"))
    async_to_sync(use)(adapter, "two")


def test_a_transaction_of_its_own_database_is_refused_in_the_loops_thread() -> None:
    adapter = DjangoStateAdapter("bot")
    with transaction.atomic(ALIAS), pytest.raises(InsideTransactionError, match=ALIAS):
        asyncio.run(use(adapter))

    asyncio.run(use(adapter))


def test_a_transaction_of_its_own_database_is_refused_through_async_to_sync() -> None:
    adapter = DjangoStateAdapter("bot")
    with transaction.atomic(ALIAS), pytest.raises(InsideTransactionError, match=ALIAS):
        async_to_sync(use)(adapter)

    async_to_sync(use)(adapter)


async def test_a_transaction_in_a_thread_of_a_view_is_refused() -> None:
    adapter = await connected()
    assert await adapter.get("key") is None  # for this task no thread waits, unlike for the view's

    def view() -> None:
        try:
            with transaction.atomic(ALIAS):
                async_to_sync(adapter.set)("key", 1)
        finally:
            connections.close_all()

    with pytest.raises(InsideTransactionError, match=ALIAS):
        await sync_to_async(view, thread_sensitive=False)()
    assert await adapter.get("key") is None


async def test_a_frozen_shard_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await connected()
    await adapter.set("key", "old")
    await sync_to_async(_freeze)(is_frozen=True)
    refused = asyncio.Event()
    resolve = in_process._resolve

    def notice(calls: Any, results: Any) -> None:
        if isinstance(results[0], FrozenError):
            refused.set()
        resolve(calls, results)

    monkeypatch.setattr(in_process, "_resolve", notice)
    writing = asyncio.ensure_future(adapter.set("key", "new"))
    async with asyncio.timeout(DEADLINE_S):
        await refused.wait()
    await sync_to_async(_freeze)(is_frozen=False)
    await writing

    assert await adapter.get("key") == "new"


async def test_a_commit_of_unknown_outcome_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await connected()
    commit = ShardDatabase.commit
    broken: list[int] = []

    def break_each_first(database: ShardDatabase, jobs: Sequence[Job]) -> Sequence[Any]:
        done = commit(database, jobs)
        if not any(job.writes for job in jobs):
            return done  # a read, which SQLite's short ones need no group for
        broken.append(len(jobs))
        if len(broken) % 2:
            raise UnavailableError  # stored, and nobody knows
        return done

    monkeypatch.setattr(ShardDatabase, "commit", break_each_first)

    lock = await adapter.acquire_lock("thread", 30_000)
    assert lock is not None
    assert await adapter.extend_lock(lock, 30_000) is True
    assert await adapter.set_if_not_exists("key", 1) is True
    await adapter.append_to_list("list", 1)
    assert await adapter.enqueue("thread", ENTRY, 10) == 1
    entry = await adapter.dequeue("thread")
    assert entry is not None
    assert entry.message == {"number": 1}
    assert len(broken) == 2 * 6
    assert await adapter.get_list("list") == [1]


async def test_a_long_list_comes_whole(settings: Settings) -> None:
    settings.CHATSTATE = {"list_page_max_chars": 50}
    adapter = await connected()
    for number in range(40):
        await adapter.append_to_list("list", number)

    assert await adapter.get_list("list") == list(range(40))


async def test_a_release_is_repeated_when_its_caller_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = await connected()
    lock = await adapter.acquire_lock("thread", 30_000)
    assert lock is not None
    commit = ShardDatabase.commit
    loop = asyncio.get_running_loop()
    refused = asyncio.Event()
    is_back = threading.Event()

    def refuse(database: ShardDatabase, jobs: Sequence[Job]) -> Any:
        if is_back.is_set():
            return commit(database, jobs)
        loop.call_soon_threadsafe(refused.set)
        raise UnavailableError

    monkeypatch.setattr(ShardDatabase, "commit", refuse)
    releasing = asyncio.ensure_future(adapter.release_lock(lock))
    async with asyncio.timeout(DEADLINE_S):
        await refused.wait()
    releasing.cancel()
    is_back.set()

    async with asyncio.timeout(DEADLINE_S):
        while await adapter.acquire_lock("thread", 30_000) is None:
            pass


async def test_a_stranded_entry_is_told() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    adapter = await connected(on_stranded=told.put)
    lock = await adapter.acquire_lock("thread", 30_000)
    assert lock is not None
    await adapter.enqueue("thread", ENTRY, 10)
    assert told.empty()

    await adapter.release_lock(lock)

    assert await told.get() == "thread"


def _freeze(*, is_frozen: bool) -> None:
    # this thread outlives the test, and the alias is another database in each: what it has is
    # replaced, should it have anything, and left to nobody
    connections[ALIAS] = connections.create_connection(ALIAS)
    try:
        Shard.objects.using(ALIAS).update(is_frozen=is_frozen)
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
