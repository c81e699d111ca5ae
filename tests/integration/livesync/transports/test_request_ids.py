"""Requests on one socket: their ids, their interrupts, how many there may be."""

from livesync.services.hub import get_hub
from tests.clients import PUSHED, error_of, page_numbers
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.integration.livesync.transports.sockets import held_commits, only_sqlite, request


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
