"""The client in the process that has the database."""

import asyncio
import threading
from contextlib import aclosing

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from groundwork.connections import InsideTransactionError
from livesync.client import AsyncClient, Client, InvalidBatchError
from livesync.protocol.errors import StorageUnavailableError
from livesync.services import push
from livesync.services.stores import reset_store
from tests.clients import DEADLINE_S
from tests.factories import make_events
from tests.integration.livesync.conftest import Store


def in_a_transaction(work: object) -> None:
    """Call ``work`` inside ``atomic()`` on livesync's database."""
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError):
        work()  # type: ignore[operator]


async def test_inside_atomic_every_call_is_refused(store: Store) -> None:
    def try_all() -> None:
        with Client(store.id) as client:
            live = client.live()
            for call in (
                lambda: client.push([("a",)]),
                lambda: client.pull(),
                lambda: next(live),
                lambda: client.backend_id(),
                lambda: async_to_sync(push_async)(),
                lambda: async_to_sync(pull_async)(),
            ):
                in_a_transaction(call)

    async def push_async() -> None:
        async with AsyncClient(store.id) as client:
            await client.push([("a",)])

    async def pull_async() -> None:
        async with AsyncClient(store.id) as client:
            await client.pull()

    await asyncio.to_thread(try_all)

    assert await store.numbers() == []


async def test_a_sync_view_may_push_and_pull(store: Store) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        with Client(store.id) as client, transaction.atomic("default"):
            client.push([("visited", {"path": request.path})])
            return HttpResponse(str(len(client.pull())))

    answers = [await sync_to_async(view)(HttpRequest()) for _ in range(2)]

    assert [answer.content for answer in answers] == [b"1", b"2"]


async def test_an_async_view_may_push_and_pull(store: Store) -> None:
    async with AsyncClient(store.id) as client:
        await client.push([("visited",)])

        assert len(await client.pull()) == 1


async def test_on_an_event_loop_the_sync_client_refuses_to_wait(store: Store) -> None:
    client = Client(store.id)

    with pytest.raises(RuntimeError, match="AsyncClient"):
        client.pull()

    await asyncio.to_thread(client.close)


async def test_nothing_stays_behind_a_sync_client(store: Store) -> None:
    def work() -> set[str]:
        with Client(store.id) as client, Client(store.id) as other:
            client.push([("a",)])
            other.pull()
            return {thread.name for thread in threading.enumerate()}

    during = await asyncio.to_thread(work)

    assert "livesync-client" in during
    assert "livesync-client" not in {thread.name for thread in threading.enumerate()}


async def test_a_live_pull_ends_in_the_new_history_when_the_store_is_reset(store: Store) -> None:
    await store.push(make_events(2))
    resets: list[str] = []
    async with (
        asyncio.timeout(DEADLINE_S),
        AsyncClient(store.id) as client,
        aclosing(client.live(on_reset=resets.append)) as live,
    ):
        before = [(await anext(live)).seq_num for _ in range(2)]

        await asyncio.to_thread(reset_store, store.id)
        await client.push([("new",)])

        assert before == [1, 2]
        assert (await anext(live)).name == "new"
        assert resets == [await store.backend_id()]


async def test_what_others_push_in_this_process_is_seen_at_once(store: Store) -> None:
    async with (
        asyncio.timeout(DEADLINE_S),
        AsyncClient(store.id) as client,
        aclosing(client.live_pages()) as pages,
    ):
        first = await anext(pages)
        await store.push(make_events(3))

        assert first.events == []
        assert [event.seq_num for event in (await anext(pages)).events] == [1, 2, 3]


async def test_a_store_out_of_reach_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = push.start_push
    faults = [StorageUnavailableError(), StorageUnavailableError()]

    def start_or_fail(*args: object) -> object:
        if faults:
            raise faults.pop()
        return start(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(push, "start_push", start_or_fail)
    async with AsyncClient(store.id) as client:
        await client.push([("a",)])

    assert await store.numbers() == [1]


async def test_the_limits_of_the_site_hold_here_too(store: Store) -> None:
    async with AsyncClient(store.id, client_id="x" * 2_000) as client:
        with pytest.raises(InvalidBatchError, match="clientId"):
            await client.push([("a",)])
