"""How a socket ends."""

import asyncio

import pytest

from groundwork import frames
from groundwork.frames import get_registry
from livesync.services.hub import get_hub
from livesync.transports import consumers
from tests.clients import PUSHED, until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect
from tests.integration.livesync.transports.sockets import code_of_close, held_commits, only_sqlite


@only_sqlite
async def test_a_client_that_hangs_up_leaves_nothing_behind(connect: Connect) -> None:
    client = await connect()
    for live in (True, False):
        await client.page(client.pull(live=live), ack=False)
    assert get_hub().count() == 1

    await client.hang_up()

    assert get_hub().count() == 0
    assert len(get_registry()) == 0


@only_sqlite
async def test_a_client_that_hangs_up_has_pushed_nevertheless(
    connect: Connect, store: Store
) -> None:
    client, other = await connect(), await connect()
    pull = other.pull(live=True)
    await other.page(pull)
    with held_commits():
        client.push(make_events(2))
        await client.ping()
        await client.hang_up()

    assert await other.numbers(pull, 2) == [1, 2]
    assert await store.numbers() == [1, 2]


@only_sqlite
async def test_draining_answers_the_pushes_under_way_and_closes_every_socket(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "_LINGER_S", 0.0)
    busy, idle = await connect(), await connect()
    pull = idle.pull(live=True)
    await idle.page(pull)
    with held_commits() as gate:
        push = busy.push(make_events(1))
        await busy.ping()
        draining = asyncio.create_task(consumers.drain(20))
        assert await code_of_close(idle) == frames.RESTART
        assert busy.is_silent
        gate.set()

        assert await busy.exit(push) == PUSHED

    assert await code_of_close(busy) == frames.RESTART
    await draining


@only_sqlite
async def test_draining_has_an_end(connect: Connect) -> None:
    client = await connect()
    with held_commits():
        client.push(make_events(1))
        await client.ping()

        await consumers.drain(0)

        assert await code_of_close(client) == frames.RESTART


@only_sqlite
async def test_a_socket_that_was_closed_by_us_takes_no_more_messages(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    (consumer,) = get_registry()._consumers

    consumer.close(frames.RESTART)
    client.push(make_events(1))
    client.pull(live=True)

    assert await code_of_close(client) == frames.RESTART
    await until(lambda: len(get_registry()) == 0)
    assert get_hub().count() == 0
    assert await store.numbers() == []
