"""What an RPC client meets over HTTP, and on the socket where it hears of updates."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol import records
from livesync.protocol.errors import CommitUnknownError
from livesync.services.append import get_writer
from livesync.transports.routing import updates_application
from livesync.transports.rpc import StoreRpc
from syncsite.sync_handler import SyncHandler
from tests.clients import (
    PUSHED,
    SUCCESS,
    Response,
    SyncClient,
    call_http,
    page_numbers,
    sync_query,
    until,
)
from tests.factories import make_events, option, wire_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.rpc_client import MEDIA_TYPE, PATH, RpcClient, decode, split

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


class Remote(RpcClient):
    """An RPC client over HTTP; ``response`` is the last answer."""

    response: Response

    def __init__(self, store_id: str, **query: Any) -> None:
        super().__init__(self.post, store_id)
        self._query = sync_query(store_id, "http", **query)

    async def post(self, body: bytes, **options: Any) -> bytes:
        """All answers to a body, in one message."""
        self.response = await self.call_http(body, **options)
        assert self.response.status == 200, self.response.text
        answers = [one for data in split(b"".join(self.response.parts)) for one in decode(data)]
        return records.encode(answers)

    async def call_http(
        self, body: bytes, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Response:
        """Post a body, whatever comes back."""
        sent = {"content-type": MEDIA_TYPE, **(headers or {})}
        options = {"query": self._query} | options
        return await call_http(SyncHandler(), body=body, path=PATH, headers=sent, **options)

    async def refusal(self, message: Mapping[str, Any], **options: Any) -> tuple[int, str]:
        """The status and text of a refused request."""
        response = await self.call_http(records.encode([message]), **options)
        return response.status, response.text

    def ping_request(self) -> dict[str, Any]:
        return self.request("Ping", {})


@pytest.fixture
def client(store: Store) -> Remote:
    return Remote(store.id)


async def test_what_is_pushed_is_pulled(client: Remote, store: Store) -> None:
    assert await client.push(make_events(3)) == PUSHED

    chunk, exit = await client.pull()

    (page,) = chunk["values"]
    assert [item["eventEncoded"] for item in page["batch"]] == wire_events(make_events(3))
    assert (page["rpcRequestId"], page["backendId"]) == ("1", await store.backend_id())
    assert exit["exit"] == SUCCESS
    assert client.response.headers["content-type"] == "application/octet-stream"
    assert "content-length" in client.response.headers


@only_sqlite
async def test_many_pages_are_streamed_each_a_message(client: Remote) -> None:
    await client.push(make_events(450))

    *chunks, _ = await client.pull()

    pages = [page_numbers(chunk["values"][0]) for chunk in chunks]
    assert [number for page in pages for number in page] == list(range(1, 451))
    assert [len(page) for page in pages] == [100, 100, 100, 100, 50]
    assert "content-length" not in client.response.headers
    assert all(len(split(part)) == 1 for part in client.response.parts)


@only_sqlite
async def test_a_live_pull_over_http_is_its_stored_part(client: Remote) -> None:
    await client.push(make_events(1))

    _, exit = await client.pull_live()

    assert exit["exit"] == SUCCESS


@only_sqlite
async def test_a_forged_caller_over_http_takes_no_live_pull(client: Remote, store: Store) -> None:
    heard: list[Any] = []

    async def take(update: Any) -> None:
        heard.append(update)

    async with StoreRpc(store.id, sync_update_rpc=take) as stub:
        await RpcClient(stub.rpc, store.id).pull_live(caller="me")
        await client.pull_live(caller="me", id="2")
        await client.push(make_events(1))
        await until(lambda: bool(heard))

    assert heard[0]["requestId"] == "1"


@only_sqlite
async def test_what_is_refused_has_its_status(client: Remote) -> None:
    ping = client.ping_request()
    other = client.request("Ping", {"storeId": "other"})

    assert await client.refusal(other) == (
        403,
        "the request speaks for another store or payload than its URL",
    )
    assert (await client.refusal(ping, headers={"content-type": "application/json"}))[0] == 415
    assert (await client.refusal(ping, headers={"content-encoding": "gzip"}))[0] == 415
    assert (await client.refusal(ping, query=b"storeId=store")) == (400, "Invalid path")
    assert (await client.refusal(ping, query=b"storeId=store&transport=ws"))[0] == 426
    assert (await client.refusal(ping, query=b"storeId=store&transport=rpc"))[0] == 400
    assert (await client.refusal(ping, method="GET"))[0] == 405
    assert (await client.refusal(ping, headers={"origin": "https://evil.example"}))[0] == 403


@only_sqlite
async def test_a_body_has_a_largest_size_as_it_is_and_as_json(client: Remote, tune: Tune) -> None:
    tune(frame_max_bytes=10_000)

    assert (await client.call_http(b"\x90" * 10_001)).status == 413
    many = [client.ping_request()] * 17
    assert (await client.call_http(records.encode(many))).status == 400
    # written once with its record, a hundred times as JSON
    event = {"k" * 200: 1}
    (answer,) = await client.send(client.request("Push", {"batch": [event] * 100}))
    assert (answer["_tag"], "too large as JSON" in answer["defect"]) == ("Defect", True)


@only_sqlite
async def test_a_large_push_is_read_like_any_other(client: Remote, store: Store) -> None:
    (event,) = make_events(1, args=json.dumps({"text": "x" * 500_000}))

    assert await client.push([event]) == PUSHED
    assert await store.numbers() == [1]


@only_sqlite
async def test_an_unknown_outcome_is_503_and_later_an_end_without_an_exit(
    client: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.push(make_events(250))
    push = {"batch": wire_events(make_events(1, after=250)), "backendId": option(None)}

    def fail(*_: object) -> None:
        raise CommitUnknownError

    monkeypatch.setattr(get_writer(), "_commit", fail)
    status, _ = await client.refusal(client.request("Push", push))
    answers = await client.send(client.pull_request(None), client.request("Push", push, "2"))

    assert status == 503
    assert [answer["_tag"] for answer in answers] == ["Chunk"] * 3 + ["Exit"]
    assert {answer["requestId"] for answer in answers} == {"1"}


class NotingHooks(OpenHooks):
    """Notes how clients talk."""

    transports: list[str] = []

    async def validate_payload(self, payload: Any, context: Context) -> None:
        self.transports.append(context.transport)


@only_sqlite
async def test_hooks_hear_that_it_is_rpc(client: Remote, store: Store, tune: Tune) -> None:
    tune(hooks=f"{__name__}.NotingHooks")
    NotingHooks.transports.clear()

    await client.ping()
    async with SyncClient(updates_application, store.id):
        pass

    assert NotingHooks.transports == ["rpc", "rpc"]
