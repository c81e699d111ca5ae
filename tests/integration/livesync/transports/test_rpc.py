"""What an RPC client meets in the process of the server, but for live pulls."""

import asyncio
import json
import random
import threading
from typing import Any

import pytest

from livesync.conf import LivesyncSettings
from livesync.hooks import Context, Hooks
from livesync.protocol import packed_pushes, records
from livesync.protocol.errors import CommitUnknownError
from livesync.protocol.packed_pushes import Unpacked
from livesync.services import stores
from livesync.services.append import get_writer
from livesync.services.hub import get_hub
from livesync.storage import get_readers
from livesync.transports import rpc as rpc_module
from livesync.transports.rpc import StoreRpc
from tests.clients import PUSHED, SUCCESS, error_of
from tests.factories import make_events, option, wire_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.rpc_client import RpcClient, numbers_of

MAX_BYTES = LivesyncSettings().frame_max_bytes
PONG = {"_tag": "Success", "value": {"_tag": "SyncMessage.Pong"}}

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


@pytest.fixture
def client(store: Store) -> RpcClient:
    """A client without live pulls."""
    return RpcClient(StoreRpc(store.id).rpc, store.id)


async def test_what_is_pushed_is_pulled(client: RpcClient, store: Store) -> None:
    assert await client.push(make_events(3)) == PUSHED

    chunk, exit = await client.pull()

    (page,) = chunk["values"]
    assert [item["eventEncoded"] for item in page["batch"]] == wire_events(make_events(3))
    assert page["rpcRequestId"] == "1"
    assert page["pageInfo"] == {"_tag": "NoMore"}
    assert page["backendId"] == await store.backend_id()
    assert exit == {"_tag": "Exit", "requestId": "1", "exit": SUCCESS}


async def test_a_pull_goes_on_behind_its_cursor_page_by_page(
    client: RpcClient, store: Store
) -> None:
    await client.push(make_events(250))

    *chunks, _ = await client.pull((await store.backend_id(), 20))

    assert numbers_of(chunks) == list(range(21, 251))
    remaining = [chunk["values"][0]["pageInfo"].get("remaining") for chunk in chunks]
    assert remaining == [130, 30, None]


@only_sqlite
async def test_a_ping_is_answered(client: RpcClient) -> None:
    assert await client.ping() == PONG
    assert await client.send({"_tag": "Ping"}) == [{"_tag": "Pong"}]


async def test_errors_are_those_of_the_other_transports(client: RpcClient, store: Store) -> None:
    await client.push(make_events(3))

    behind = await client.push(make_events(1))
    elsewhere = await client.push(make_events(1, after=3), backend_id="another")
    *_, exit = await client.pull(("another", 2))

    assert error_of(behind) == {
        "_tag": "ServerAheadError",
        "minimumExpectedNum": 3,
        "providedNum": 0,
    }
    for error in (error_of(elsewhere), error_of(exit["exit"])):
        assert error == {
            "_tag": "BackendIdMismatchError",
            "expected": await store.backend_id(),
            "received": "another",
        }


@only_sqlite
async def test_a_client_of_the_next_generation_is_answered_in_its_dialect(
    client: RpcClient,
) -> None:
    chunk, exit = await client.send(client.request("Pull", {"cursor": option(None)}, 7))

    assert (chunk["requestId"], chunk["values"][0]["rpcRequestId"]) == (7, "7")
    assert exit == {"_tag": "Exit", "requestId": 7, "exit": {"_tag": "Success", "value": None}}


@only_sqlite
async def test_several_requests_are_carried_out_in_their_order(
    client: RpcClient, store: Store
) -> None:
    requests = [
        client.request(
            "Push", {"batch": wire_events([event]), "backendId": option(None)}, str(number)
        )
        for number, event in enumerate(make_events(3))
    ]

    answers = await client.send(*requests, client.request("Ping", {}, "9"))

    assert [answer["requestId"] for answer in answers] == ["0", "1", "2", "9"]
    assert [answer["exit"] for answer in answers] == [PUSHED] * 3 + [PONG]
    assert await store.numbers() == [1, 2, 3]


@only_sqlite
@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91", records.encode([{"_tag": "Nope"}])])
async def test_what_is_no_message_is_told_so(client: RpcClient, data: bytes) -> None:
    (answer,) = await client.send_bytes(data)

    assert answer["_tag"] == "Defect"


@only_sqlite
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc0" * (MAX_BYTES + 1), "more than 1048576 bytes"),
        (b"\xdd\x00\x03\xff\xff" + b"\xd4\x72\x40\x90" * 0x3FFFE, "10000 definitions of records"),
        (b"\xdd\x00\x0f\xff\x00" + b"\x90" * 0xFFF00, "too large as JSON"),
    ],
    ids=["long", "definitions", "arrays"],
)
async def test_what_would_take_too_long_is_refused(
    client: RpcClient, data: bytes, reason: str
) -> None:
    (answer,) = await client.send_bytes(data)

    assert answer["_tag"] == "Defect"
    assert reason in answer["defect"]


@only_sqlite
async def test_the_fullest_batch_is_stored(client: RpcClient, store: Store) -> None:
    # besides its args an event has 93 characters, and the whole message 173
    text = "x" * ((MAX_BYTES - 300) // 100 - 120)
    batch = make_events(100, args=f'{{"text":"{text}"}}')

    assert (
        MAX_BYTES - 5_000 < len(json.dumps(wire_events(batch), separators=(",", ":"))) < MAX_BYTES
    )
    assert await client.push(batch) == PUSHED
    assert len(await store.numbers()) == 100


@only_sqlite
async def test_much_is_read_in_a_thread_and_pushes_keep_their_order(
    client: RpcClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[str] = []

    def unpack(data: bytes, **limits: int) -> Unpacked:
        readers.append(threading.current_thread().name)
        return packed_pushes.unpack(data, **limits)

    monkeypatch.setattr(rpc_module, "unpack", unpack)
    large = make_events(50, args=f'"{"x" * 1_000}"')

    exits = await asyncio.gather(client.push(large), client.push(make_events(1, after=50)))

    assert exits == [PUSHED, PUSHED]
    assert readers == ["livesync-rpc_0", threading.main_thread().name]


@pytest.mark.parametrize("other", ["taken", "new", "sto\u0301re", " store"])
@pytest.mark.parametrize("procedure", ["Pull", "Push", "Ping"])
async def test_b77_a_request_for_another_store_reads_and_writes_nothing(
    client: RpcClient, store: Store, procedure: str, other: str
) -> None:
    taken = Store("taken")
    await taken.push(make_events(2))
    payload = {"cursor": option(None), "backendId": option(None), "storeId": other}
    payload["batch"] = wire_events(make_events(1, client_id="canary"))

    (answer,) = await client.send(client.request(procedure, payload))

    assert error_of(answer["exit"])["cause"]["name"] == "StoreMismatchError"
    assert "canary" not in str(answer)
    assert await get_readers().run(lambda: list(stores.all_store_ids())) == ["taken"]
    assert await taken.numbers() == [1, 2]


@only_sqlite
async def test_damaged_requests_of_one_tenant_leave_the_other_alone(
    client: RpcClient, store: Store
) -> None:
    other = Store("other")
    await other.push(make_events(3, client_id="canary"))
    before = await other.backend_id()
    chance = random.Random(4)
    push = {"batch": wire_events(make_events(2)), "backendId": option(None)}
    whole = [
        records.encode([client.request(procedure, {**push, "cursor": option(None), "storeId": id})])
        for procedure in ("Pull", "Push", "Ping")
        for id in (store.id, "other")
    ]

    for _ in range(1_000):
        damaged = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        answers = await client.send_bytes(bytes(damaged[: chance.choice([None, None, 50])]))
        assert "canary" not in str(answers)

    assert (await other.backend_id(), await other.numbers()) == (before, [1, 2, 3])


@only_sqlite
async def test_b78_a_request_with_another_payload_is_refused(store: Store) -> None:
    known = Context(
        store_id=store.id,
        transport="rpc",
        headers={},
        payload={"user": 1},
        stored_store_id=store.id,
    )
    client = RpcClient(StoreRpc(known).rpc, store.id)

    (same,) = await client.send(client.request("Ping", {"payload": {"user": 1}}))
    (other,) = await client.send(client.request("Ping", {"payload": {"user": 2}}))

    assert same["exit"] == PONG
    assert error_of(other["exit"])["cause"]["name"] == "PayloadMismatchError"


@only_sqlite
async def test_nobody_is_told_what_became_of_an_unknown_commit(
    client: RpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CommitUnknownError

    monkeypatch.setattr(get_writer(), "_commit", fail)

    with pytest.raises(CommitUnknownError):
        await client.push(make_events(1))


class Wary(Hooks):
    """Lets nobody push."""

    async def may_push(self, context: Context) -> bool:
        return False

    async def may_pull(self, context: Context) -> bool:
        return context.transport != "rpc"


@only_sqlite
async def test_the_sites_hooks_are_asked(client: RpcClient, store: Store, tune: Tune) -> None:
    tune(hooks=f"{__name__}.Wary")
    stub = StoreRpc(store.id, sync_update_rpc=_pass_over)
    client = RpcClient(stub.rpc, store.id)

    pushed = await client.push(make_events(1))
    (pulled,) = await client.pull()
    (live,) = await client.pull_live()

    for exit in (pushed, pulled["exit"], live["exit"]):
        assert error_of(exit)["cause"]["name"] == "AuthError"
    assert get_hub().count() == 0


async def _pass_over(update: Any) -> None:
    """With somebody who takes updates a pull may be live."""
