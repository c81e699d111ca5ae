"""What a LiveStore client meets on its socket."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from groundwork import frames
from groundwork.frames import get_registry
from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError
from livesync.services import pull as pull_module
from livesync.services.append import get_writer
from livesync.services.hub import get_hub
from livesync.storage import get_engine, get_readers
from livesync.transports import consumers
from livesync.transports.routing import websocket_application
from tests.clients import (
    ClosedError,
    RefusedError,
    Socket,
    SyncClient,
    error_of,
    page_numbers,
    until,
)
from tests.factories import make_event, make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune

SUCCESS = {"_tag": "Success"}
PUSHED = {"_tag": "Success", "value": {}}

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


async def code_of_close(client: Socket) -> int:
    """Pass over what comes before the close."""
    try:
        while True:
            await client.receive()
    except ClosedError as closed:
        return closed.code


@contextmanager
def held_commits() -> Iterator[threading.Event]:
    """Hold up the writer until the event is set, or the block ends."""
    writer, gate = get_writer(), threading.Event()
    commit = writer._commit

    def wait(jobs: Any) -> Any:
        assert gate.wait(20)
        return commit(jobs)

    writer._commit = wait
    try:
        yield gate
    finally:
        gate.set()
        writer._commit = commit


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


# pages and Acks


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


# interrupts and ids


@only_sqlite
async def test_an_interrupt_ends_a_live_pull_and_is_answered(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pull = client.pull(live=True)
    await client.page(pull)

    client.interrupt(pull)
    ended = await client.exit(pull)
    assert ended["cause"] == {"_tag": "Interrupt", "fiberId": {"_tag": "None"}}
    assert get_hub().count() == 0
    await store.push(make_events(1))
    client.interrupt(pull)
    await client.ping()

    assert not client._waiting[pull]


@only_sqlite
async def test_an_interrupt_ends_a_pull_that_waits_for_an_ack(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(150))
    client = await connect()
    pull = client.pull()
    await client.page(pull, ack=False)

    client.interrupt(pull)
    client.ack(pull)

    assert (await client.exit(pull))["cause"]["_tag"] == "Interrupt"
    await client.ping()
    assert not client._waiting[pull]


@only_sqlite
async def test_an_interrupted_push_is_stored_heard_and_acknowledged(
    connect: Connect, store: Store
) -> None:
    client, other = await connect(), await connect()
    pull = other.pull(live=True)
    await other.page(pull)
    with held_commits() as gate:
        push = client.push(make_events(2))
        client.interrupt(push)
        await client.ping()
        gate.set()

        assert await client.exit(push) == PUSHED

    assert await other.numbers(pull, 2) == [1, 2]


@only_sqlite
async def test_messages_for_requests_that_died_with_a_former_server_are_passed_over(
    connect: Connect,
) -> None:
    client = await connect()

    client.interrupt("4711")
    client.ack("4711")
    client.ack(4711)
    client.send_json({"_tag": "Eof"})

    await client.ping()
    assert client.is_silent
    assert await client.exit(client.push(make_events(1))) == PUSHED


@only_sqlite
async def test_an_id_in_use_is_refused_and_its_owner_goes_on(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    pull = client.pull(live=True)
    await client.page(pull)

    for again in (client.pull(request_id=pull), client.push(make_events(1), request_id=pull)):
        refused = error_of(await client.exit(again))
        assert refused["cause"]["message"] == f"request id {pull} is in use"

    await store.push(make_events(1))
    assert await client.numbers(pull, 1) == [1]


@only_sqlite
async def test_an_id_may_be_used_again_when_its_request_has_ended(connect: Connect) -> None:
    client = await connect()

    assert await client.exit(client.push(make_events(1), request_id="5")) == PUSHED
    assert await client.exit(client.push(make_events(1, after=1), request_id="5")) == PUSHED
    pull = client.pull(live=True, request_id="5")
    await client.page(pull)
    client.interrupt(pull)
    assert (await client.exit(pull))["_tag"] == "Failure"
    assert await client.exit(client.push(make_events(1, after=2), request_id="5")) == PUSHED


@only_sqlite
async def test_live_pulls_and_requests_are_limited(connect: Connect, tune: Tune) -> None:
    tune(live_pulls_per_socket=2, requests_per_socket=3)
    client = await connect()
    pulls = [client.pull(live=True) for _ in range(3)]
    refused = error_of(await client.exit(pulls[2]))
    assert refused["cause"]["message"] == "more than 2 live pulls on one socket"

    with held_commits() as gate:
        pushes = [client.push(make_events(1, after=head)) for head in range(4)]
        refused = error_of(await client.exit(pushes[3]))
        assert refused["cause"]["message"] == "more than 3 requests at once"
        gate.set()

        assert [await client.exit(push) for push in pushes[:3]] == [PUSHED] * 3
    assert get_hub().count() == 2


@only_sqlite
async def test_a_client_of_the_next_generation_is_answered_in_its_dialect(
    connect: Connect,
) -> None:
    client = await connect()

    assert await client.exit(client.push(make_events(2), request_id=1)) == PUSHED
    pull = client.pull(request_id=2)
    assert page_numbers(await client.page(pull)) == [1, 2]
    assert await client.exit(pull) == {"_tag": "Success", "value": None}
    ahead = await client.exit(client.push(make_events(2), request_id=3))
    assert [cause["error"]["_tag"] for cause in ahead["cause"]] == ["ServerAheadError"]
    live = client.pull(live=True, request_id=4)
    await client.page(live)
    client.interrupt(live)
    assert [cause["_tag"] for cause in (await client.exit(live))["cause"]] == ["Interrupt"]
    unknown = await client.exit(client.request("SyncWsRpc.Nope", {}, 5))
    assert [cause["_tag"] for cause in unknown["cause"]] == ["Die"]


@only_sqlite
async def test_several_messages_may_come_in_one_array(connect: Connect) -> None:
    client = await connect()
    client.send_json(
        [
            {"_tag": "Ping"},
            request("1", "SyncWsRpc.Push", {"batch": [], "backendId": {"_tag": "None"}}),
            {"_tag": "Foo"},
            {"_tag": "Ping"},
        ]
    )

    answers = [await client.receive() for _ in range(4)]

    assert sorted(answer["_tag"] for answer in answers) == ["Defect", "Exit", "Pong", "Pong"]


def request(request_id: str, tag: str, payload: dict[str, Any], store_id: str = "store") -> Any:
    payload = {"storeId": store_id} | payload
    return {"_tag": "Request", "id": request_id, "tag": tag, "payload": payload}


# what is refused


@only_sqlite
@pytest.mark.parametrize(
    ("tag", "payload"),
    [
        ("SyncWsRpc.Pull", {"live": True, "cursor": {"_tag": "None"}}),
        ("SyncWsRpc.Push", {"batch": [], "backendId": {"_tag": "None"}}),
    ],
)
async def test_a_message_for_another_store_ends_the_socket_and_whatever_comes_behind_it(
    connect: Connect, tag: str, payload: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()

    client.send_json(
        [
            request("1", tag, payload, "other"),
            request("2", "SyncWsRpc.Pull", {"live": True, "cursor": {"_tag": "None"}}),
            request("3", "SyncWsRpc.Push", {"batch": [], "backendId": {"_tag": "None"}}),
        ]
    )

    assert error_of(await client.exit("1"))["cause"]["name"] == "StoreMismatchError"
    assert await code_of_close(client) == frames.POLICY
    assert get_hub().count() == 0
    assert await get_readers().run(get_engine().states, ["store", "other"]) == {}
    assert "speaks for another store" in caplog.text


@only_sqlite
async def test_a_frame_over_the_limit_closes_the_socket(connect: Connect, tune: Tune) -> None:
    tune(frame_max_bytes=1_000)
    client = await connect()

    client.push([make_event(1, args=json.dumps("x" * 1_000))])

    assert await code_of_close(client) == frames.TOO_BIG


@only_sqlite
async def test_a_push_almost_as_large_as_a_frame_is_stored_and_comes_back(
    connect: Connect, store: Store
) -> None:
    args = json.dumps("x" * 1_040_000)
    client = await connect()

    assert await client.exit(client.push([make_event(1, args=args), make_event(2)])) == PUSHED
    pull = client.pull()

    sizes: list[int] = []
    while sum(sizes) < 2:
        page = await client.page(pull)
        sizes.append(len(page["batch"]))
    assert sizes == [1, 1]


@pytest.mark.parametrize(
    "query",
    [b"", b"storeId=a", b"transport=ws", b"storeId=a&transport=http", b"storeId=%00&transport=ws"],
)
async def test_a_handshake_without_a_sync_query_for_sockets_is_refused(query: bytes) -> None:
    with pytest.raises(RefusedError) as refusal:
        await Socket(websocket_application, query).open()

    assert (refusal.value.status, refusal.value.body) == (400, "Invalid path")
    assert len(get_registry()) == 0


@only_sqlite
async def test_a_refused_handshake_leaves_no_store_behind(
    store: Store, tune: Tune, settings: Any
) -> None:
    settings.DEBUG = False
    tune(hooks="livesync.hooks.Hooks")
    bodies = set()
    await store.push([])

    for store_id in (store.id, "never seen"):
        with pytest.raises(RefusedError) as refusal:
            await SyncClient(websocket_application, store_id).open()
        bodies.add((refusal.value.status, refusal.value.body))

    assert bodies == {(400, "UnknownError: no authentication is configured on this server")}
    assert await get_readers().run(get_engine().states, ["never seen"]) == {}


# faults


class Away:
    """An engine that cannot read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_: Any, **__: Any) -> Any:
        raise self._error


@only_sqlite
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageUnavailableError(), frames.TRY_LATER),
        (CommitUnknownError(), frames.TRY_LATER),
        (ValueError("a bug"), frames.INTERNAL),
    ],
)
async def test_a_pull_that_cannot_be_answered_closes_the_socket_instead(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, live: bool, error: Exception, code: int
) -> None:
    # UnknownError would end the client's pulling for good; a closed socket is tried again
    monkeypatch.setattr(pull_module, "get_engine", lambda: Away(error))
    client = await connect()

    client.pull(live=live)

    with pytest.raises(ClosedError) as closed:
        await client.receive()
    assert closed.value.code == code
    assert get_hub().count() == 0


@only_sqlite
async def test_a_live_pull_that_falls_behind_during_a_fault_closes_its_socket(
    connect: Connect, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(extensions={})
    pull = client.pull(live=True)
    await client.page(pull)
    await client.ping()
    monkeypatch.setattr(pull_module, "get_engine", lambda: Away(StorageUnavailableError()))

    await store.push_elsewhere(make_events(1))
    await get_hub().reconcile()

    assert await code_of_close(client) == frames.TRY_LATER + 3_000  # as daphne allows


@only_sqlite
async def test_a_push_that_could_not_be_stored_is_told_as_an_unknown_error(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    with failing_commits(StorageUnavailableError()):
        error = error_of(await client.exit(client.push(make_events(1))))

    assert (error["_tag"], error["cause"]["name"]) == ("UnknownError", "StorageUnavailableError")
    assert await client.exit(client.push(make_events(1))) == PUSHED


@only_sqlite
async def test_a_bug_behind_a_push_is_logged_and_not_shown(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()
    with failing_commits(ValueError("a secret")):
        error = error_of(await client.exit(client.push(make_events(1))))

    assert error["cause"] == {"name": "InternalError", "message": "the server failed"}
    assert logging.ERROR in [record.levelno for record in caplog.records]


@only_sqlite
async def test_a_push_of_unknown_outcome_is_answered_neither_way(connect: Connect) -> None:
    client = await connect()
    with failing_commits(CommitUnknownError()):
        client.push(make_events(1))

        with pytest.raises(ClosedError) as closed:
            await client.receive()
    assert closed.value.code == frames.TRY_LATER


@contextmanager
def failing_commits(error: Exception) -> Iterator[None]:
    writer = get_writer()
    commit = writer._commit

    def fail(jobs: Any) -> Any:
        raise error

    writer._commit = fail
    try:
        yield
    finally:
        writer._commit = commit


@only_sqlite
async def test_a_reset_ends_live_pulls_with_the_new_backend_id(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(2))
    client = await connect()
    pull = client.pull(live=True)
    known = (await client.page(pull))["backendId"]

    done = await get_readers().run(get_engine().reset, store.id)
    await get_hub().reconcile()

    assert error_of(await client.exit(pull)) == {
        "_tag": "BackendIdMismatchError",
        "expected": done.backend_id,
        "received": known,
    }
    assert await client.exit(client.push(make_events(1), backend_id=done.backend_id)) == PUSHED


# the end


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
