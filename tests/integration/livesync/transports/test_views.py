"""What a LiveStore client meets over HTTP."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError
from livesync.services import patience
from livesync.services import pull as pull_module
from livesync.services.append import get_writer
from livesync.storage import get_engine, get_readers
from livesync.transports import views
from syncsite.sync_handler import SyncHandler
from tests.clients import (
    PUSHED,
    SUCCESS,
    HttpClient,
    Response,
    call_http,
    error_of,
    page_numbers,
    sync_query,
)
from tests.factories import make_events, option, wire_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)

PULL = {"cursor": option(None)}
CORS = "access-control-allow-origin"


async def test_what_is_pushed_is_pulled(http: HttpClient, store: Store) -> None:
    assert await http.push(make_events(3)) == PUSHED

    chunk, exit = await http.pull()

    (page,) = chunk["values"]
    assert page_numbers(page) == [1, 2, 3]
    assert page["pageInfo"] == {"_tag": "NoMore"}
    assert page["backendId"] == await store.backend_id()
    assert (chunk["requestId"], exit) == (
        "1",
        {"_tag": "Exit", "requestId": "1", "exit": SUCCESS},
    )


async def test_a_poll_gets_what_came_since_the_last_one(http: HttpClient, store: Store) -> None:
    await http.push(make_events(3))
    backend_id = await store.backend_id()

    since, _ = await http.pull((backend_id, 2))
    nothing, _ = await http.pull((backend_id, 3))

    assert page_numbers(since["values"][0]) == [3]
    assert page_numbers(nothing["values"][0]) == []


async def test_errors_are_those_of_the_socket(http: HttpClient, store: Store) -> None:
    await http.push(make_events(3))
    backend_id = await store.backend_id()

    ahead = error_of(await http.push(make_events(1)))
    push = error_of(await http.push(make_events(1, after=3), backend_id="another history"))
    (pull,) = await http.pull(("another history", 3))

    assert ahead == {"_tag": "ServerAheadError", "minimumExpectedNum": 3, "providedNum": 0}
    mismatch = {"expected": backend_id, "received": "another history"}
    assert push == error_of(pull["exit"]) == {"_tag": "BackendIdMismatchError"} | mismatch


async def test_a_long_history_is_streamed_page_by_page(http: HttpClient) -> None:
    await http.push(make_events(650))

    response = await http.send(http.request("SyncHttpRpc.Pull", PULL))

    *chunks, exit = response.messages
    pages = [chunk["values"][0] for chunk in chunks]
    assert [len(page["batch"]) for page in pages] == [100] * 6 + [50]
    assert [n for page in pages for n in page_numbers(page)] == list(range(1, 651))
    assert [page["pageInfo"].get("remaining") for page in pages] == [*range(550, 0, -100), None]
    assert exit["exit"] == SUCCESS
    assert len(response.parts) > 3
    assert "content-length" not in response.headers


@only_sqlite
async def test_a_short_answer_says_how_long_it_is(http: HttpClient) -> None:
    response = await http.send(http.request("SyncHttpRpc.Pull", PULL))

    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.text))


@only_sqlite
async def test_pings_of_both_kinds_are_answered(http: HttpClient, store: Store) -> None:
    call = await http.send(http.request("SyncHttpRpc.Ping", {}))
    message = await http.send({"_tag": "Ping"})

    pong = {"_tag": "SyncMessage.Pong"}
    assert call.messages == [
        {"_tag": "Exit", "requestId": "1", "exit": {"_tag": "Success", "value": pong}}
    ]
    assert message.messages == [{"_tag": "Pong"}]
    assert await get_readers().run(get_engine().states, [store.id]) == {}


@only_sqlite
async def test_a_numeric_id_is_answered_in_its_dialect(http: HttpClient) -> None:
    response = await http.send(http.request("SyncHttpRpc.Pull", PULL, 7))

    assert response.messages[-1] == {
        "_tag": "Exit",
        "requestId": 7,
        "exit": {"_tag": "Success", "value": None},
    }


@only_sqlite
async def test_several_requests_are_carried_out_in_their_order(
    http: HttpClient, store: Store
) -> None:
    batch = [
        http.request(
            "SyncHttpRpc.Push",
            {"batch": wire_events(make_events(1, after=head)), "backendId": option(None)},
            str(head),
        )
        for head in range(15)
    ]

    response = await http.send([*batch, http.request("SyncHttpRpc.Pull", PULL, "15")])

    *exits, chunk, end = response.messages
    assert [(m["requestId"], m["exit"]) for m in exits] == [(str(n), PUSHED) for n in range(15)]
    assert page_numbers(chunk["values"][0]) == list(range(1, 16))
    assert end["requestId"] == "15"


@only_sqlite
@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ([], []),
        ({"_tag": "Ack", "requestId": "1"}, []),
        ({"_tag": "Interrupt", "requestId": "1"}, []),
        ({"_tag": "Eof"}, []),
        ([{"_tag": "Ping"}, {"_tag": "Eof"}, {"_tag": "Ping"}], [{"_tag": "Pong"}] * 2),
    ],
)
async def test_messages_without_an_answer_get_an_array_all_the_same(
    http: HttpClient, body: Any, messages: list[Any]
) -> None:
    response = await http.send(body)

    assert (response.status, response.messages) == (200, messages)


@only_sqlite
@pytest.mark.parametrize(
    "body",
    [b"", b"{oops", b"null", b"\xff", b'{"_tag":"Foo"}', '{"_tag":"Ping"}'.encode("utf-16")],
)
async def test_a_body_that_is_no_message_is_answered_with_a_defect(
    http: HttpClient, body: bytes
) -> None:
    response = await http.send(body)

    assert response.status == 200
    assert [message["_tag"] for message in response.messages] == ["Defect"]


@only_sqlite
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
async def test_other_methods_are_not_allowed(http: HttpClient, method: str) -> None:
    response = await http.send(b"", method=method)

    assert response.status == 405
    assert response.headers["allow"] == "POST, OPTIONS"


@only_sqlite
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_url_of_a_socket_wants_an_upgrade(store: Store, method: str) -> None:
    response = await call_http(SyncHandler(), sync_query(store.id, "ws"), method=method)

    assert (response.status, response.text) == (426, "Durable Object expected Upgrade: websocket")


@only_sqlite
async def test_without_a_sync_query_there_is_nothing_here(store: Store) -> None:
    response = await call_http(SyncHandler(), b"storeId=a")

    assert (response.status, response.text) == (400, "Invalid path")


@only_sqlite
async def test_a_body_may_be_as_large_as_the_limit_and_no_larger(
    http: HttpClient, tune: Tune
) -> None:
    tune(frame_max_bytes=1_000)
    ping = json.dumps({"_tag": "Ping", "x": ""})
    body = ping.replace('""', '"' + "x" * (1_000 - len(ping)) + '"').encode()

    assert (await http.send(body)).messages == [{"_tag": "Pong"}]
    response = await http.send(body + b" ")
    assert (response.status, response.text) == (413, "a body has at most 1000 bytes")


@only_sqlite
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "Application/JSON"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": ""}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-encoding": "identity"}, 200),
        ({"accept": "application/xml"}, 200),
    ],
)
async def test_bodies_are_plain_json(
    http: HttpClient, headers: dict[str, str], status: int
) -> None:
    assert (await http.send({"_tag": "Ping"}, headers=headers)).status == status


@only_sqlite
async def test_more_messages_than_are_read_at_a_time_are_refused(http: HttpClient) -> None:
    assert (await http.send([{"_tag": "Ping"}] * 16)).status == 200
    response = await http.send([{"_tag": "Ping"}] * 17)

    assert (response.status, response.text) == (400, "17 messages in one array, at most 16")


@only_sqlite
async def test_a_request_for_another_store_is_refused_with_all_the_others(
    http: HttpClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    push = {"batch": wire_events(make_events(1)), "backendId": option(None)}
    other = http.request("SyncHttpRpc.Push", push | {"storeId": "other"})

    response = await http.send([http.request("SyncHttpRpc.Push", push), other])

    assert response.status == 403
    assert "other" not in response.text.replace("another", "")
    assert await get_readers().run(get_engine().states, [store.id, "other"]) == {}
    assert "speaks for another store" in caplog.text


@only_sqlite
async def test_a_header_that_names_another_store_is_refused(http: HttpClient) -> None:
    same = await http.send({"_tag": "Ping"}, headers={"x-livestore-store-id": http.store_id})
    other = await http.send({"_tag": "Ping"}, headers={"x-livestore-store-id": "other"})

    assert (same.status, other.status) == (200, 400)


# faults


class Away:
    """An engine whose reads fail for a while."""

    def __init__(self, *, after: int, failures: int, error: Exception) -> None:
        self._after = after
        self._failures = failures
        self._error = error

    def read(self, *args: Any, **options: Any) -> Any:
        if self._after:
            self._after -= 1
        elif self._failures:
            self._failures -= 1
            raise self._error
        return get_engine().read(*args, **options)


@contextmanager
def failing_commits(failures: int, error: Exception) -> Iterator[None]:
    writer = get_writer()
    commit = writer._commit

    def fail(jobs: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise error
        return commit(jobs)

    writer._commit = fail
    try:
        yield
    finally:
        writer._commit = commit


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again without a pause."""
    monkeypatch.setattr(patience, "_AGAIN_EVERY_S", 0.001)


AWAY = StorageUnavailableError()


@only_sqlite
@pytest.mark.usefixtures("hasty")
async def test_a_push_outlasts_a_database_that_is_away_for_a_while(
    http: HttpClient, store: Store
) -> None:
    with failing_commits(5, AWAY):
        assert await http.push(make_events(2)) == PUSHED

    assert await store.numbers() == [1, 2]


@only_sqlite
@pytest.mark.usefixtures("hasty")
async def test_a_push_is_refused_when_its_time_is_up(http: HttpClient, tune: Tune) -> None:
    tune(retry_budget_s=0.02)

    with failing_commits(1_000_000, AWAY):
        error = error_of(await http.push(make_events(2)))

    assert (error["_tag"], error["cause"]["name"]) == ("UnknownError", "StorageUnavailableError")


@only_sqlite
async def test_a_push_of_unknown_outcome_is_told_as_neither(http: HttpClient) -> None:
    push = {"batch": wire_events(make_events(1)), "backendId": option(None)}

    with failing_commits(1, CommitUnknownError()):
        response = await http.send(http.request("SyncHttpRpc.Push", push))

    assert (response.status, response.text) == (503, "the outcome of the push is not known")


@only_sqlite
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_pull_outlasts_a_database_that_is_away_for_a_while(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    await http.push(make_events(1_250))
    away = Away(after=after, failures=5, error=AWAY)
    monkeypatch.setattr(pull_module, "get_engine", lambda: away)

    *chunks, exit = await http.pull()

    found = [n for chunk in chunks for n in page_numbers(chunk["values"][0])]
    assert found == list(range(1, 1_251))
    assert exit["exit"] == SUCCESS


@only_sqlite
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("error", [AWAY, ValueError("a secret")])
async def test_a_fault_in_the_middle_ends_the_array_with_a_failure(
    http: HttpClient, tune: Tune, monkeypatch: pytest.MonkeyPatch, after: int, error: Exception
) -> None:
    tune(retry_budget_s=0.02)
    await http.push(make_events(1_250))
    away = Away(after=after, failures=1_000_000, error=error)
    monkeypatch.setattr(pull_module, "get_engine", lambda: away)

    *chunks, exit = await http.pull()

    assert len(chunks) == [0, 1, 11][after]
    assert error_of(exit["exit"])["_tag"] == "UnknownError"
    assert "secret" not in json.dumps(exit)


@only_sqlite
async def test_a_reset_in_the_middle_ends_the_array_with_the_new_backend_id(
    http: HttpClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await http.push(make_events(1_250))
    engine = get_engine()

    class ResetOnSecondRead:
        reads = 0

        def read(self, *args: Any, **options: Any) -> Any:
            self.reads += 1
            if self.reads == 2:
                engine.reset(store.id)
            return engine.read(*args, **options)

    resetting = ResetOnSecondRead()
    monkeypatch.setattr(pull_module, "get_engine", lambda: resetting)

    *chunks, exit = await http.pull()

    assert len(chunks) == 1
    assert error_of(exit["exit"])["expected"] == await store.backend_id()


@only_sqlite
async def test_a_bug_is_told_in_one_line_and_logged(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(views, "read_calls", fail)

    response = await http.send({"_tag": "Ping"})

    assert (response.status, response.text) == (500, "the server failed")
    assert "a secret" in caplog.text


@only_sqlite
async def test_two_clients_push_at_once_and_both_hear_the_truth(
    http: HttpClient, store: Store
) -> None:
    answers = await asyncio.gather(*(http.push(make_events(2)) for _ in range(8)))

    assert sorted(answer["_tag"] for answer in answers) == ["Failure"] * 7 + ["Success"]
    assert await store.numbers() == [1, 2]


# headers


@only_sqlite
async def test_a_site_may_put_headers_on_every_answer(http: HttpClient, tune: Tune) -> None:
    tune(response_headers={"X-Served-By": "us"})
    responses = [
        await http.send({"_tag": "Ping"}),
        await http.send(http.request("SyncHttpRpc.Pull", PULL)),
        await http.send(b"", method="GET"),
        await http.send(b"x" * 2_000_000),
        await call_http(SyncHandler(), b"storeId=a"),
    ]

    assert [r.status for r in responses] == [200, 200, 405, 413, 400]
    assert {r.headers["x-served-by"] for r in responses} == {"us"}


async def answers_to(http: HttpClient, origin: str) -> list[Response]:
    """A preflight, an answer, a refusal and a stream, for a page of ``origin``."""
    headers = {"origin": origin}
    return [
        await http.send(
            b"",
            method="OPTIONS",
            headers=headers
            | {
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type, x-evil",
            },
        ),
        await http.send({"_tag": "Ping"}, headers=headers),
        await http.send(b"", method="PUT", headers=headers),
        await http.send(http.request("SyncHttpRpc.Pull", PULL), headers=headers),
    ]


@only_sqlite
async def test_without_cors_no_page_of_another_origin_reads_an_answer(
    http: HttpClient, tune: Tune
) -> None:
    tune(allowed_origins=("https://app.example",), cors=False)

    responses = await answers_to(http, "https://app.example")

    assert [r.status for r in responses] == [405, 200, 405, 200]
    assert not any(CORS in r.headers for r in responses)


@only_sqlite
async def test_with_cors_pages_of_allowed_origins_read_every_answer(
    http: HttpClient, tune: Tune
) -> None:
    tune(allowed_origins=("https://app.example",), cors=True, cors_headers=("x-mine",))
    await http.push(make_events(250))

    responses = await answers_to(http, "https://app.example")

    assert [r.status for r in responses] == [204, 200, 405, 200]
    assert {r.headers[CORS] for r in responses} == {"https://app.example"}
    assert all("Origin" in r.headers["vary"] for r in responses)
    preflight = responses[0].headers
    assert preflight["access-control-allow-methods"] == "POST, OPTIONS"
    assert preflight["access-control-allow-headers"].split(", ") == [
        "content-type",
        "x-livestore-store-id",
        "b3",
        "traceparent",
        "authorization",
        "x-mine",
    ]
    assert "access-control-allow-credentials" not in preflight


@only_sqlite
async def test_with_cors_pages_of_other_origins_read_nothing(http: HttpClient, tune: Tune) -> None:
    tune(allowed_origins=("https://app.example",), cors=True)

    responses = await answers_to(http, "https://evil.example")

    assert [r.status for r in responses] == [204, 403, 405, 403]
    assert not any(CORS in r.headers for r in responses)
    assert all("Origin" in r.headers["vary"] for r in responses)


@only_sqlite
async def test_where_any_origin_may_the_answer_says_so(http: HttpClient, tune: Tune) -> None:
    tune(allowed_origins=("*",), cors=True)

    responses = await answers_to(http, "https://anybody.example")

    assert [r.status for r in responses] == [204, 200, 405, 200]
    assert {r.headers[CORS] for r in responses} == {"*"}
