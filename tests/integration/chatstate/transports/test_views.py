"""What a script meets over HTTP, through the whole of the site."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone
from pytest_django import Settings

from chatstate.protocol.errors import (
    BusyError,
    ChatstateError,
    FrozenError,
    UnavailableError,
)
from chatstate.protocol.operations import OPERATIONS, GetList, Operation
from chatstate.services import execute as services
from chatstate.services import long_lists
from chatstate.services.threads import get_readers
from chatstate.services.tokens import create_token, revoke, tokens
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Result
from chatstate.transports import authentication, http_answers, views
from syncsite.asgi import application
from syncsite.request_body import BODY_MAX_BYTES

BASE = "/api/chat/v1"
VALUES = [
    '{"b":1,"a":[null],"b":2}',
    '"\\u0000 \\ud83d"',
    "[1e400,-0.0,1.50]",
    "null",
    '"\u00e9 \U0001f600"',
]

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


async def make_token(namespace: str = "bot", **options: Any) -> str:
    token: str = await get_readers().run(lambda: create_token(namespace, **options))
    return token


class Script:
    """A script with a token, or with none."""

    def __init__(self, client: httpx.AsyncClient, token: str | None) -> None:
        self._client = client
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    async def send(
        self, path: str, body: bytes, *, method: str = "POST", headers: Any = None
    ) -> httpx.Response:
        """Any request below the API's path; a header that is None is left out."""
        named = self._headers | (headers or {})
        kept = {name: value for name, value in named.items() if value is not None}
        return await self._client.request(method, f"{BASE}{path}", content=body, headers=kept)

    async def ask(self, op: str, text: str = "", **members: Any) -> httpx.Response:
        """One operation; ``text`` is its body as it is written."""
        return await self.send(f"/{op}", (text or json.dumps(members)).encode())

    async def do(self, op: str, **members: Any) -> Any:
        """One operation that is done; its value or its items."""
        answer = await self.ask(op, **members)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        ((name, value),) = answer.json().items()
        assert name == ("items" if op == "getList" else "value")
        return value


@pytest.fixture
async def client(chat_database: ShardDatabase) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def script(client: httpx.AsyncClient) -> Script:
    """A script that may do everything."""
    return Script(client, await make_token())


def error_of(answer: httpx.Response) -> Any:
    """The error of a refusal, which says nothing else."""
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json().values()
    assert error.keys() <= {"code", "message", "field"}
    assert error["message"]
    return error


async def test_every_operation_is_done(script: Script) -> None:
    on_thread = {"threadId": "t"}
    await script.do("subscribe", **on_thread)
    subscribed = await script.do("isSubscribed", **on_thread)
    await script.do("unsubscribe", **on_thread)
    lock = await script.do("acquireLock", ttlMs=30_000, requestId="r1", **on_thread)
    extended = await script.do("extendLock", token=lock["token"], ttlMs=30_000, **on_thread)
    queued = await script.do(
        "enqueue", message={"m": 1}, enqueuedAt=1, expiresAt=90_001, requestId="r2", **on_thread
    )
    depth = await script.do("queueDepth", **on_thread)
    released = await script.do("releaseLock", token=lock["token"], **on_thread)
    await script.do("forceReleaseLock", **on_thread)
    entry = await script.do("dequeue", requestId="r3", **on_thread)
    await script.do("set", key="k", value=1)
    was_set = await script.do("setIfNotExists", key="k", value=2, requestId="r4")
    value = await script.do("get", key="k")
    await script.do("delete", key="k")
    await script.do("appendToList", key="l", value="x", requestId="r5")

    assert (subscribed, extended, was_set, value) == (True, True, False, 1)
    assert lock.keys() == {"token", "fence", "ttlMs"}
    assert (queued, depth) == ({"depth": 1, "stranded": False}, 1)
    assert released == {"released": True, "stranded": True}
    assert (entry["message"], entry["enqueuedAt"]) == ({"m": 1}, 1)
    assert await script.do("getList", key="l") == ["x"]
    assert await script.do("get", key="k") is None


@pytest.mark.parametrize("text", VALUES)
async def test_values_come_back_as_they_were_written(script: Script, text: str) -> None:
    await script.ask("set", f'{{"key":"k","value":{text}}}')
    await script.ask("appendToList", f'{{"key":"l","value":{text},"requestId":"r"}}')

    assert (await script.ask("get", key="k")).text == f'{{"value":{text}}}'
    assert (await script.ask("getList", key="l")).text == f'{{"items":[{text}]}}'


@pytest.mark.parametrize("key", ['"\\u0000"', '"\\ud83d"', '"\u00e9"'])
async def test_keys_are_any_characters(script: Script, key: str) -> None:
    await script.ask("set", f'{{"key":{key},"value":1}}')

    assert (await script.ask("get", f'{{"key":{key}}}')).json() == {"value": 1}


async def test_a_repetition_gets_the_first_answer(script: Script) -> None:
    attempts = [
        await script.do("acquireLock", threadId="t", ttlMs=30_000, requestId="r") for _ in range(2)
    ]

    another = await script.ask("dequeue", threadId="t", requestId="r")

    assert attempts[0] == attempts[1]
    assert attempts[0] is not None
    assert another.status_code == 409
    assert error_of(another)["code"] == "conflict"
    assert error_of(another)["field"] == "requestId"


async def test_a_batch_is_answered_in_its_order_each_operation_by_itself(script: Script) -> None:
    batch = [
        {"id": 5, "op": "set", "key": "k", "value": 1},
        {"id": 4, "op": "nothing"},
        {"id": 3, "op": "get", "key": "k"},
        {"id": 2, "op": "get"},
        {"id": 1, "op": "appendToList", "key": "l", "value": 2},
        {"id": 0, "op": "getList", "key": "l"},
    ]

    answers = (await script.send("/batch", json.dumps(batch).encode())).json()

    assert [answer["id"] for answer in answers] == [5, 4, 3, 2, 1, 0]
    assert [answers[number]["value"] for number in (0, 2, 4)] == [None, 1, None]
    assert answers[1]["error"]["code"] == "unknown_operation"
    assert answers[3]["error"]["field"] == "key"
    assert answers[5] == {"id": 0, "items": [2], "more": False}


@only_sqlite
async def test_an_empty_batch_is_answered_by_an_empty_array(script: Script) -> None:
    assert (await script.send("/batch", b"[]")).text == "[]"


@only_sqlite
async def test_a_batch_is_refused_whole_if_it_cannot_be_told_apart(
    script: Script, settings: Settings
) -> None:
    settings.CHATSTATE = {"operations_per_frame": 2}
    large = json.dumps([{"id": number, "op": "queueDepth", "threadId": "t"} for number in range(3)])

    refused = [await script.send("/batch", body) for body in (b"{}", b'[{"op":"get"}]', b"[")]
    too_large = await script.send("/batch", large.encode())

    assert {(answer.status_code, error_of(answer)["code"]) for answer in refused} == {
        (400, "malformed")
    }
    assert (too_large.status_code, error_of(too_large)["code"]) == (413, "too_large")


@only_sqlite
async def test_a_bot_does_not_see_another(client: httpx.AsyncClient, script: Script) -> None:
    other = Script(client, await make_token("other"))

    await script.do("set", key="k", value=1)

    assert await other.do("get", key="k") is None


@only_sqlite
async def test_rights_are_asked_before_the_body_is_read(client: httpx.AsyncClient) -> None:
    reader = Script(client, await make_token(rights=("read",)))
    batch = b'[{"id":1,"op":"delete","key":"k"},{"id":2,"op":"get","key":"k"}]'

    refused = await reader.ask("set", "no JSON")
    answers = (await reader.send("/batch", batch)).json()

    assert (refused.status_code, error_of(refused)["code"]) == (403, "forbidden")
    assert answers[0]["error"]["code"] == "forbidden"
    assert answers[1] == {"id": 2, "value": None}
    assert await reader.do("get", key="k") is None


@only_sqlite
async def test_whoever_is_not_let_in_is_told_nothing(client: httpx.AsyncClient) -> None:
    revoked, expired = await make_token(), await make_token(expires_at=yesterday())
    first = await get_readers().run(lambda: tokens().earliest("pk").pk)
    await get_readers().run(revoke, first)
    headers: list[dict[str, str | None]] = [
        {"authorization": value}
        for value in (
            None,
            "",
            "Bearer",
            "Bearer chat_unknown",
            f"Bearer {revoked}",
            f"Bearer {expired}",
            f"Basic {revoked}",
            "Bearer \u00e9",
        )
    ]
    paths = ["/get", "/batch", "/nothing"]

    answers = [
        await Script(client, None).send(path, b"no JSON", headers=_encoded(each))
        for each in headers
        for path in paths
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert error_of(answers[0])["code"] == "unauthorized"


REFUSALS: dict[str, tuple[str, bytes, dict[str, Any], int, str, str | None]] = {
    "no such operation": ("/nothing", b"{}", {}, 404, "unknown_operation", None),
    "not for clients": ("/getMore", b"{}", {}, 404, "unknown_operation", None),
    "deeper": ("/get/k", b"{}", {}, 404, "unknown_operation", None),
    "with a slash": ("/get/", b"{}", {}, 404, "unknown_operation", None),
    "odd characters": ("/%0a%00%ff", b"{}", {}, 404, "unknown_operation", None),
    "no name": ("/", b"{}", {}, 404, "unknown_operation", None),
    "nothing": ("", b"{}", {}, 404, "unknown_operation", None),
    "another type": (
        *("/get", b"{}", {"content-type": "text/plain"}),
        *(415, "malformed", None),
    ),
    "a form": (
        *("/get", b"key=k", {"content-type": "application/x-www-form-urlencoded"}),
        *(415, "malformed", None),
    ),
    "no type": ("/get", b"{}", {"content-type": None}, 415, "malformed", None),
    "compressed": ("/get", b"{}", {"content-encoding": "gzip"}, 415, "malformed", None),
    "no body": ("/get", b"", {}, 400, "malformed", None),
    "no JSON": ("/get", b"{", {}, 400, "malformed", None),
    "no object": ("/get", b"[]", {}, 400, "malformed", None),
    "no UTF-8": ("/get", b'{"key":"\xff"}', {}, 400, "malformed", None),
    "a byte order mark": ("/get", b'\xef\xbb\xbf{"key":"k"}', {}, 400, "malformed", None),
    "NaN": ("/set", b'{"key":"k","value":NaN}', {}, 400, "malformed", None),
    "too deep to be read": (
        *("/set", b'{"key":"k","value":%b}' % (b"[" * 100_000 + b"]" * 100_000), {}),
        *(400, "invalid", "value"),
    ),
    "a member missing": ("/get", b"{}", {}, 400, "invalid", "key"),
    "a wrong type": ("/get", b'{"key":1}', {}, 400, "invalid", "key"),
    "an empty key": ("/get", b'{"key":""}', {}, 400, "invalid", "key"),
    "a long key": ("/get", b'{"key":"%b"}' % (b"x" * 1_025), {}, 400, "invalid", "key"),
    "an infinite ttl": (
        *("/set", b'{"key":"k","value":1,"ttlMs":1e400}', {}),
        *(400, "invalid", "ttlMs"),
    ),
    "too deep": (
        *("/set", b'{"key":"k","value":%b}' % (b"[" * 513 + b"]" * 513), {}),
        *(400, "invalid", "value"),
    ),
    "no such shard": ("/get", b'{"key":"k","shard":"s"}', {}, 400, "unknown_shard", "shard"),
    "a large value": (
        *("/set", b'{"key":"k","value":"%b"}' % (b"x" * 900_000), {}),
        *(413, "too_large", "value"),
    ),
    "a large body": ("/get", b" " * 1_048_577, {}, 413, "too_large", None),
    "a body too large for the site": (
        *("/get", b" " * (BODY_MAX_BYTES + 1), {}),
        *(413, "too_large", None),
    ),
}


@only_sqlite
@pytest.mark.parametrize("row", REFUSALS)
async def test_what_is_wrong_is_refused_in_one_form(script: Script, row: str) -> None:
    path, body, headers, status, code, field = REFUSALS[row]

    answer = await script.send(path, body, headers=headers)

    error = error_of(answer)
    assert (answer.status_code, error["code"], error.get("field")) == (status, code, field)
    assert await script.do("get", key="k") is None


@only_sqlite
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "ODD"])
@pytest.mark.parametrize("path", ["/get", "/batch", "/nothing"])
async def test_another_method_than_post_is_refused(script: Script, method: str, path: str) -> None:
    answer = await script.send(path, b"{}", method=method)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert error_of(answer)["code"] == "malformed"


@only_sqlite
async def test_the_type_may_name_a_charset(script: Script) -> None:
    answer = await script.send(
        "/get", b'{"key":"k"}', headers={"content-type": "Application/JSON; charset=utf-8"}
    )

    assert answer.json() == {"value": None}


@only_sqlite
async def test_neither_cookies_nor_sessions_have_a_part(script: Script) -> None:
    headers = {
        "cookie": f"sessionid={'x' * 32}; csrftoken={'y' * 32}",
        "origin": "https://elsewhere.example",
    }

    answer = await script.send("/get", b'{"key":"k"}', headers=headers)

    assert answer.json() == {"value": None}
    assert "set-cookie" not in answer.headers
    assert "cookie" not in answer.headers.get("vary", "").lower()


@only_sqlite
@pytest.mark.parametrize("error", [BusyError(), FrozenError("s"), UnavailableError()], ids=str)
async def test_what_passes_says_when_to_come_again(
    script: Script, monkeypatch: pytest.MonkeyPatch, error: ChatstateError
) -> None:
    monkeypatch.setattr(views, "execute", _giving(error))

    answer = await script.ask("get", key="k")

    assert (answer.status_code, error_of(answer)["code"]) == (503, error.code)
    assert int(answer.headers["retry-after"]) > 0


@only_sqlite
async def test_a_token_that_cannot_be_looked_up_is_not_refused(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(token: str) -> None:
        raise UnavailableError

    monkeypatch.setattr(authentication, "find_principal", fail)

    answer = await script.ask("get", key="k")

    assert (answer.status_code, error_of(answer)["code"]) == (503, "unavailable")


@only_sqlite
async def test_a_fault_of_ours_is_told_without_its_details_and_logged(
    script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(namespace: str, operations: Sequence[Operation]) -> Sequence[Result]:
        raise RuntimeError("a detail")

    monkeypatch.setattr(views, "execute", fail)

    answer = await script.ask("get", key="k")

    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal")
    assert "a detail" not in answer.text
    assert "a detail" in caplog.text


async def test_a_long_list_comes_whole_alone_and_in_a_batch(
    script: Script, settings: Settings
) -> None:
    settings.CHATSTATE = {"list_page_max_chars": 100}
    items = [f"{number}{'x' * 20_000}" for number in range(30)]
    await append(script, items)

    alone = await script.do("getList", key="l")
    lists = [{"id": number, "op": "getList", "key": "l"} for number in range(2)]
    batch = (await script.send("/batch", json.dumps(lists).encode())).json()

    assert alone == items
    assert batch == [{"id": number, "items": items, "more": False} for number in range(2)]


@only_sqlite
async def test_a_long_list_is_read_as_its_reader_takes_it(
    script: Script, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHATSTATE = {"list_page_max_chars": 100}
    await append(script, ["x" * 300_000] * 4)
    operation = GetList(key="l")
    (first,) = await services.execute("bot", [operation])
    reads = 0

    async def count(namespace: str, operations: Sequence[Operation]) -> Sequence[Result]:
        nonlocal reads
        reads += 1
        return await services.execute(namespace, operations)

    monkeypatch.setattr(long_lists, "execute", count)
    response: Any = await http_answers.respond(http_answers.one_answer("bot", operation, first))
    parts = aiter(response)
    before = reads
    async for _ in parts:
        assert reads <= before + 1
        before = reads

    assert reads >= 3


@only_sqlite
async def test_a_list_that_cannot_be_read_on_ends_with_the_reason(
    script: Script, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHATSTATE = {"list_page_max_chars": 100}
    await append(script, ["x" * 200] * 4)
    monkeypatch.setattr(long_lists, "execute", _giving(UnavailableError()))

    alone = (await script.ask("getList", key="l")).json()
    batch = (await script.send("/batch", b'[{"id":1,"op":"getList","key":"l"}]')).json()

    assert alone["items"] == batch[0]["items"] == ["x" * 200] * len(alone["items"])
    assert 0 < len(alone["items"]) < 4
    assert alone["error"]["code"] == batch[0]["error"]["code"] == "unavailable"


async def test_who_goes_away_changes_nothing(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def begin(namespace: str, operations: Sequence[Operation]) -> Sequence[Result]:
        begun.set()
        return await services.execute(namespace, operations)

    monkeypatch.setattr(views, "execute", begin)

    await _leave_at(begun, "set", b'{"key":"k","value":1}', await make_token())

    assert await script.do("get", key="k") == 1


@only_sqlite
async def test_the_description_is_for_everybody(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{BASE}/schema")

    assert answer.headers["content-type"] == "application/json"
    paths = {path.removeprefix(f"{BASE}/") for path in answer.json()["paths"]}
    assert paths == OPERATIONS.keys() | {"batch"}


async def append(script: Script, items: Sequence[str]) -> None:
    """Make a list of these items."""
    for item in items:
        await script.do("appendToList", key="l", value=item)


def yesterday() -> Any:
    return timezone.now() - timedelta(days=1)


def _encoded(headers: dict[str, str | None]) -> dict[str, Any]:
    return {name: value and value.encode("latin-1") for name, value in headers.items()}


def _giving(error: ChatstateError) -> Any:
    async def give(namespace: str, operations: Sequence[Operation]) -> Sequence[Result]:
        return [error] * len(operations)

    return give


async def _leave_at(begun: asyncio.Event, op: str, body: bytes, token: str) -> None:
    """Ask for an operation, and hang up as soon as it has begun."""
    told = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if told:
            return told.pop()
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        """Nobody reads it."""

    headers = {"host": "localhost", "content-type": "application/json"}
    headers |= {"authorization": f"Bearer {token}"}
    scope: Any = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": f"{BASE}/{op}",
        "raw_path": f"{BASE}/{op}".encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await application(scope, receive, send)
