"""What a LiveStore client meets on its socket."""

import asyncio
import threading

import pytest

from groundwork import frames
from livesync.storage import get_readers
from tests.clients import PUSHED, SUCCESS, error_of, page_numbers
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.integration.livesync.transports.sockets import code_of_close, held_commits, only_sqlite

# on both databases: the way of an event


async def test_what_one_client_pushes_another_pulls(connect: Connect) -> None:
    one, other = await connect(), await connect()

    assert await one.exit(one.push(make_events(3))) == PUSHED
    pull = other.pull()

    page = await other.page(pull)
    assert page_numbers(page) == [1, 2, 3]
    assert page["pageInfo"] == {"_tag": "NoMore"}
    assert await other.exit(pull) == SUCCESS


async def test_live_pulls_hear_of_every_push_that_of_their_own_client_too(
    connect: Connect,
) -> None:
    one, other = await connect(), await connect()
    pulls = [(client, client.pull(live=True)) for client in (one, other)]
    for client, pull in pulls:
        assert page_numbers(await client.page(pull)) == []

    push = one.push(make_events(2))

    for client, pull in pulls:
        assert await client.numbers(pull, 2) == [1, 2]
    assert await one.exit(push) == PUSHED


async def test_a_push_that_is_behind_is_told_the_head_and_gets_what_it_lacks(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pull = client.pull(live=True)
    await client.page(pull)
    # stored by a process whose hint was lost
    await store.push_elsewhere(make_events(3))

    refused = await client.exit(client.push(make_events(1)))

    assert error_of(refused) == {
        "_tag": "ServerAheadError",
        "minimumExpectedNum": 3,
        "providedNum": 0,
    }
    assert await client.numbers(pull, 3) == [1, 2, 3]


async def test_a_client_of_another_history_is_told_so_on_both_ways(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(3))
    client = await connect()

    push = await client.exit(client.push(make_events(1, after=3), backend_id="another history"))
    pull = await client.exit(client.pull(("another history", 3)))

    assert error_of(push) == error_of(pull)
    assert error_of(pull) == {
        "_tag": "BackendIdMismatchError",
        "expected": await store.backend_id(),
        "received": "another history",
    }
    assert await store.numbers() == [1, 2, 3]


async def test_pushes_on_one_socket_are_stored_and_answered_in_their_order(
    connect: Connect, store: Store
) -> None:
    client = await connect()

    pushes = [client.push(make_events(1, after=head)) for head in range(40)]

    answers = [await client.receive() for _ in pushes]
    assert [answer["requestId"] for answer in answers] == pushes
    assert await store.numbers() == list(range(1, 41))


# what goes on beside each other


@only_sqlite
async def test_a_ping_is_answered_while_a_push_waits_for_its_commit(connect: Connect) -> None:
    client = await connect()
    with held_commits() as gate:
        push = client.push(make_events(1))
        for _ in range(3):
            await client.ping()
        assert not client._waiting[push]

        gate.set()

        assert await client.exit(push) == PUSHED


@only_sqlite
async def test_a_ping_is_answered_while_pulls_wait_for_acks_and_for_the_database(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(150))
    client = await connect()
    unacked = client.pull()
    await client.page(unacked, ack=False)
    gate = threading.Event()
    busy = [get_readers().run(gate.wait, 20) for _ in range(4)]
    waiting = client.pull()

    await client.ping()

    assert not client._waiting[waiting]
    gate.set()
    await asyncio.gather(*busy)
    assert page_numbers(await client.page(waiting)) == list(range(1, 101))


@only_sqlite
@pytest.mark.parametrize("frame", ['{"_tag":"Ping"}', ' { "_tag" : "Ping", "x": [1] }'])
async def test_every_spelling_of_a_ping_is_answered(connect: Connect, frame: str) -> None:
    client = await connect()

    client.send_text(frame)
    client.send_bytes(frame.encode())

    assert [await client.receive() for _ in range(2)] == [{"_tag": "Pong"}] * 2


@only_sqlite
async def test_a_flood_of_pings_closes_the_socket(connect: Connect, tune: Tune) -> None:
    tune(pings_per_second=5)
    client = await connect()

    for _ in range(11):
        client.send_json({"_tag": "Ping"})

    assert await code_of_close(client) == frames.POLICY


@only_sqlite
async def test_two_live_pulls_on_one_socket_get_a_chunk_each(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pulls = [client.pull(live=True) for _ in range(2)]
    for pull in pulls:
        await client.page(pull)

    await store.push(make_events(2))

    for pull in pulls:
        assert await client.numbers(pull, 2) == [1, 2]


@only_sqlite
async def test_sockets_of_other_stores_hear_nothing(connect: Connect, store: Store) -> None:
    other = await connect("other")
    pull = other.pull(live=True)
    await other.page(pull)

    await store.push(make_events(2))
    await Store("other").push(make_events(1, name="other"))

    page = await other.page(pull)
    assert [item["eventEncoded"]["name"] for item in page["batch"]] == ["other"]
