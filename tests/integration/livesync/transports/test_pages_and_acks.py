"""Pages go out on a socket as fast as they are acknowledged."""

import pytest

from groundwork import frames
from groundwork.frames import get_registry
from tests.clients import SUCCESS, page_numbers
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.integration.livesync.transports.sockets import code_of_close, only_sqlite


@only_sqlite
async def test_the_next_page_goes_when_the_one_before_is_acknowledged(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(250))
    client = await connect()
    pull = client.pull()

    for numbers, info in (
        (range(1, 101), {"_tag": "MoreKnown", "remaining": 150}),
        (range(101, 201), {"_tag": "MoreKnown", "remaining": 50}),
        (range(201, 251), {"_tag": "NoMore"}),
    ):
        page = await client.page(pull, ack=False)
        assert (page_numbers(page), page["pageInfo"]) == (list(numbers), info)
        await client.ping()  # answered behind anything that might have come
        assert client.is_silent
        assert not client._waiting[pull]
        client.ack(pull)
        client.ack(pull)  # one too many releases nothing
        client.ack("77")

    assert await client.exit(pull) == SUCCESS


@only_sqlite
async def test_an_end_is_told_when_the_last_page_is_acknowledged(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pull = client.pull()
    await client.page(pull, ack=False)
    await client.ping()
    assert not client._waiting[pull]

    client.ack(pull)

    assert await client.exit(pull) == SUCCESS


@only_sqlite
async def test_a_page_without_an_ack_closes_the_socket_after_a_while(
    connect: Connect, tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SWEEP_EVERY_S", 0.001)
    tune(ack_timeout_s=0.0)
    client = await connect()
    client.pull(live=True)

    assert await code_of_close(client) == frames.TRY_LATER


@only_sqlite
async def test_a_socket_whose_pages_are_acknowledged_stays_open(
    connect: Connect, tune: Tune, store: Store
) -> None:
    tune(ack_timeout_s=0.0)
    client = await connect()
    pull = client.pull(live=True)
    await client.page(pull)
    await client.ping()

    for consumer in tuple(get_registry()._consumers):
        consumer.sweep(consumer.last_frame_at + 1)

    await store.push(make_events(1))
    assert await client.numbers(pull, 1) == [1]


@only_sqlite
async def test_a_server_that_holds_the_socket_back_is_not_given_more_than_a_page(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pull = client.pull(live=True)
    await client.page(pull)
    (consumer,) = get_registry()._consumers
    client.takes_frames.clear()

    for head in range(50):
        await store.push(make_events(1, after=head))
    assert client.is_silent
    assert len(consumer._waiting or ()) <= 1

    client.takes_frames.set()
    assert await client.numbers(pull, 50) == list(range(1, 51))
