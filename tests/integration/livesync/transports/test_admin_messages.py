"""A store is described and reset by message, for who knows the admin secret."""

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.services import admin_messages
from livesync.services.wrong_secrets import TRIES, WrongSecrets
from livesync.transports.rpc import StoreRpc
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, error_of
from tests.docs.pages import page
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.listeners import Listener
from tests.rpc_client import MEDIA_TYPE, PATH, RpcClient, split
from tests.storage import STORE

PAGE = page("docs/wire.md")
HERE = "tests.integration.livesync.transports.test_admin_messages."
SECRET = "CANARY-of-an-admin-5f1c"
RESET = {"_tag": "Success", "value": {"_tag": "SyncMessage.AdminResetRoomResponse"}}
WRONG = {"_tag": "UnknownError", "cause": {"name": "AuthError", "message": "Invalid admin secret"}}
TOO_OFTEN = {
    "_tag": "UnknownError",
    "cause": {
        "name": "LimitError",
        "message": "too many wrong admin secrets; try again in a minute",
    },
}

Ask = Callable[..., Awaitable[Any]]

pytestmark = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


@pytest.fixture(params=["http", "rpc"])
def ask(request: pytest.FixtureRequest, store: Store) -> Ask:
    """Sends an admin message; gives its exit."""

    async def ask(procedure: str, *, store_id: str = STORE, **members: Any) -> Any:
        return await send(procedure, {"adminSecret": SECRET} | members, store_id)

    async def send_http(procedure: str, payload: Mapping[str, Any], store_id: str) -> Any:
        client = HttpClient(SyncHandler(), store_id)
        (answer,) = (
            await client.send(client.request(f"SyncHttpRpc.{procedure}", payload))
        ).messages
        return answer["exit"]

    async def send_rpc(procedure: str, payload: Mapping[str, Any], store_id: str) -> Any:
        async with StoreRpc(store_id) as stub:
            client = RpcClient(stub.rpc, store_id)
            (answer,) = await client.send(client.request(procedure, payload))
            return answer["exit"]

    send = send_http if request.param == "http" else send_rpc
    return ask


@pytest.fixture(autouse=True)
def _nobody_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_messages, "_wrong_secrets", WrongSecrets())


@pytest.fixture
def _on(tune: Tune) -> None:
    tune(admin_secret=SECRET)


@pytest.mark.usefixtures("_on")
async def test_a_store_is_described(ask: Ask, store: Store) -> None:
    pushed = await store.push(make_events(2))
    listener = Listener(STORE).start()

    exit = await ask("AdminInfo", _tag="SyncMessage.AdminInfoRequest")
    listener.stop()

    answer = exit["value"]
    assert answer["_tag"] == "SyncMessage.AdminInfoResponse"
    info = answer["info"]
    assert info.pop("durableObjectId") == hashlib.sha256(STORE.encode()).hexdigest()
    assert all(datetime.fromisoformat(info.pop(name)) for name in ("createdAt", "lastPushAt"))
    assert info.pop("byteCount") > 0
    assert info == {
        "storeId": STORE,
        "backendId": pushed.backend_id,
        "head": 2,
        "eventCount": 2,
        "livePulls": 1,
    }


@pytest.mark.usefixtures("_on")
async def test_a_store_is_reset_and_the_log_says_how(
    ask: Ask, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    before = await store.push(make_events(2))
    listener = Listener(STORE).start()
    await listener.until_live()

    assert await ask("AdminResetRoom", _tag="SyncMessage.AdminResetRoomRequest") == RESET

    assert await store.numbers() == []
    assert await store.backend_id() != before.backend_id
    assert type(await listener.until_failed()).__name__ == "BackendIdMismatchError"
    assert f"store {STORE} was reset by an admin message over " in caplog.text


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "x", SECRET.lower(), "\ud83d"])
@pytest.mark.parametrize("procedure", ["AdminInfo", "AdminResetRoom"])
async def test_a_wrong_secret_gets_one_answer_whatever_the_store(
    ask: Ask, store: Store, procedure: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await store.push(make_events(1))

    known = await ask(procedure, adminSecret=secret)
    unknown = await ask(procedure, adminSecret=secret, store_id="never seen")

    assert error_of(known) == error_of(unknown) == WRONG
    assert await store.numbers() == [1]
    assert "came with a wrong secret" in caplog.text
    assert "CANARY" not in caplog.text


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize("procedure", ["AdminInfo", "AdminResetRoom"])
@pytest.mark.parametrize("way", ["http", "rpc"])
async def test_an_address_that_is_wrong_too_often_is_not_listened_to(
    store: Store, way: str, procedure: str, caplog: pytest.LogCaptureFixture
) -> None:
    await store.push(make_events(1))
    guess = partial(ask_from, "198.51.100.7", way, procedure)

    refused = [await guess(str(number)) for number in range(TRIES)]
    too_often, even_right = await guess("another"), await guess(SECRET)

    assert [error_of(exit) for exit in refused] == [WRONG] * TRIES
    assert error_of(too_often) == error_of(even_right) == TOO_OFTEN
    assert await store.numbers() == [1]
    assert (await ask_from("198.51.100.8", way, procedure, SECRET))["_tag"] == "Success"
    assert caplog.text.count(f"store {STORE} from 198.51.100.7 came with a wrong secret") == TRIES


async def ask_from(address: str, way: str, procedure: str, secret: str) -> Any:
    """The exit of an admin message from another machine."""
    client = HttpClient(SyncHandler(), STORE)
    members = {"adminSecret": secret}
    if way == "http":
        request = client.request(f"SyncHttpRpc.{procedure}", members)
        (answer,) = (await client.send(request, client=(address, 5))).messages
        return answer["exit"]

    async def post(body: bytes) -> bytes:
        options: Any = {"path": PATH, "headers": {"content-type": MEDIA_TYPE}}
        response = await client.send(body, client=(address, 5), **options)
        (message,) = split(b"".join(response.parts))
        return message

    peer = RpcClient(post, STORE)
    (answer,) = await peer.send(peer.request(procedure, members))
    return answer["exit"]


@pytest.mark.usefixtures("_on", "store")
async def test_code_of_the_site_may_be_wrong_as_often_as_it_likes() -> None:
    async with StoreRpc(STORE) as stub:
        client = RpcClient(stub.rpc, STORE)
        request = client.request("AdminInfo", {"adminSecret": "wrong"})
        exits = [(await client.send(request))[0]["exit"] for _ in range(TRIES + 1)]

    assert [error_of(exit) for exit in exits] == [WRONG] * len(exits)


@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize("procedure", ["AdminInfo", "AdminResetRoom"])
async def test_without_a_secret_there_are_no_such_messages(
    ask: Ask, store: Store, procedure: str, secret: str
) -> None:
    await store.push(make_events(1))

    exit = await ask(procedure, adminSecret=secret)

    assert exit["cause"]["_tag"] == "Die"
    assert exit["cause"]["defect"].startswith("Unknown request tag: Sync")
    assert await store.numbers() == [1]


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize("procedure", ["AdminInfo", "AdminResetRoom"])
async def test_a_store_that_is_not_there_is_not_made(
    ask: Ask, store: Store, procedure: str
) -> None:
    await store.push([])

    exit = await ask(procedure, store_id="never seen")

    assert error_of(exit)["cause"]["name"] == "StoreNotFoundError"
    assert await Store("never seen").numbers() == []


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize("secret", [None, 5, [SECRET]])
async def test_a_secret_of_another_type_is_malformed(ask: Ask, store: Store, secret: Any) -> None:
    exit = await ask("AdminInfo", adminSecret=secret)

    assert exit["cause"]["_tag"] == "Die"
    assert "adminSecret" in exit["cause"]["defect"]


class Tenants(OpenHooks):
    """Keeps every store under another name."""

    def stored_store_id(self, store_id: str, context: Context) -> str:  # type: ignore[override]
        return f"tenant/{store_id}"


async def test_the_stored_store_is_meant(tune: Tune, store: Store) -> None:
    tune(admin_secret=SECRET, hooks=HERE + "Tenants")
    await Store(f"tenant/{STORE}").push(make_events(1))
    await store.push(make_events(1))
    client = HttpClient(SyncHandler(), STORE)
    request = client.request("SyncHttpRpc.AdminResetRoom", {"adminSecret": SECRET})

    (answer,) = (await client.send(request)).messages

    assert answer["exit"] == RESET
    assert await Store(f"tenant/{STORE}").numbers() == []
    assert await store.numbers() == [1]


async def test_the_example_of_the_documents(tune: Tune, store: Store) -> None:
    tune(admin_secret="the admin secret")
    await Store("notes").push(make_events(2))
    request = PAGE.block("admin-info-request").text.encode()

    response = await HttpClient(SyncHandler(), "notes").send(request)

    assert shape(response.messages) == shape(json.loads(PAGE.block("admin-info-answer").text))
    assert '{"_tag":"SyncMessage.AdminResetRoomResponse"}' in PAGE.text


def shape(answer: list[Any]) -> list[Any]:
    """An answer without what differs from run to run, which is looked at by its form."""
    info = answer[0]["exit"]["value"]["info"]
    for name in ("createdAt", "lastPushAt"):
        info[name] = re.sub(r"[0-9]", "0", info[name])
    info["backendId"] = len(info["backendId"])
    return answer
