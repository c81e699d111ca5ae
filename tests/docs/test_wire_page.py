"""docs/wire.md says what the server answers: its examples, errors, codes, statuses and limits."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from groundwork import frames
from livesync.conf import LivesyncSettings
from livesync.protocol import errors, messages
from livesync.transports import access, consumers, views
from syncsite import entrance, http_protocol, sync_handler
from tests.docs import sync_http
from tests.docs.pages import named_in, page, rows
from tests.docs.sync_http import event, new_store_id, outcome, pull, push
from tests.processes import DEADLINE_S
from tests.site_process import SiteProcess

PAGE = page("docs/wire.md")

NEVER_TOLD = {
    "LivesyncError",  # the base
    "RefusedError",  # the base of what a request is refused with
    "CommitUnknownError",  # told as a closed socket, or as 503
    "AuthUnavailableError",  # told as 503, or as a StorageUnavailableError
    "RemoteError",  # what a client of ours was told
}
TYPED = {"ServerAheadError", "BackendIdMismatchError"}
HUMAN = {1_048_576: "1 MiB", 8_192: "8 KiB", 4_000_000: "4 MB"}


def test_the_example_of_a_push_and_a_pull(http: httpx.Client) -> None:
    store_id = new_store_id()
    for kind in ("push", "pull"):
        text = PAGE.block(f"{kind}-request").text.replace('"notes"', json.dumps(store_id))

        answer = http.post(
            sync_http.url(store_id), content=text, headers={"content-type": "application/json"}
        )

        assert _masked(answer.text) == _masked(PAGE.block(f"{kind}-answer").text)


def test_a_page_before_the_last_says_how_many_events_follow(http: httpx.Client) -> None:
    store_id = new_store_id()
    http.post(sync_http.url(store_id), json=push(store_id, *map(event, range(1, 351))))

    answer = http.post(sync_http.url(store_id), json=pull(store_id))

    assert '{"_tag":"MoreKnown","remaining":250}' in answer.text
    assert '{"_tag":"MoreKnown","remaining":250}' in PAGE.text


def test_a_ping(http: httpx.Client) -> None:
    store_id = new_store_id()
    ping = sync_http.request("SyncHttpRpc.Ping", {"storeId": store_id})

    answer = http.post(sync_http.url(store_id), json=ping)

    assert answer.json()[0]["exit"]["value"] == {"_tag": "SyncMessage.Pong"}
    assert messages.PING_ANSWER in PAGE.text


def test_every_typed_error_is_there() -> None:
    documented = {named_in(row[0])[0] for row in rows(PAGE.section("Errors")) if len(row) == 4}

    assert documented == TYPED | {errors.LivesyncError.tag}


def test_every_name_of_an_unknown_error_is_there() -> None:
    told = {cls.__name__ for _, cls in inspect.getmembers(errors, inspect.isclass)}
    documented = {
        row[0].strip("`")
        for row in rows(PAGE.section("Errors"))
        if len(row) == 2 and row[0].startswith("`")
    }

    assert documented == told - NEVER_TOLD - TYPED | {"InternalError"}


def test_every_close_code_is_there() -> None:
    used = {
        getattr(frames, name)
        for module in (frames, consumers)
        for name in re.findall(r"\.close\(([A-Z_]+)\)", inspect.getsource(module))
    }
    documented = {int(row[0]) for row in rows(PAGE.section("Close codes"))}

    # the consumer answers a frame that is not UTF-8 with a Defect instead
    assert documented == used - {frames.BAD_DATA}


def test_every_status_is_there() -> None:
    modules = (access, views, entrance, sync_handler, http_protocol)
    sources = "".join(inspect.getsource(module) for module in modules)
    used = set(re.findall(r"(?:Error\(|_plain\(|send, |b\")([2-5]\d\d)\b", sources))
    documented = {
        status for row in rows(PAGE.section("HTTP")) for status in re.findall(r"\b\d{3}\b", row[0])
    }

    assert documented == used | {"200", "204", "405"}


def test_the_limits_are_those_of_the_settings() -> None:
    defaults = LivesyncSettings()
    wrong = [
        (limit, key)
        for _, limit, setting in rows(PAGE.section("Limits"))
        for key in named_in(setting)
        if _human(getattr(defaults, key)) not in limit and limit != "by the frame"
    ]

    assert wrong == []


def _bad(**members: Any) -> Callable[[httpx.Client, str], httpx.Response]:
    return _push(event(1, **members))


def _push(*batch: dict[str, Any], **members: Any) -> Callable[[httpx.Client, str], httpx.Response]:
    return lambda http, store: http.post(sync_http.url(store), json=push(store, *batch, **members))


def _deep(http: httpx.Client, store: str) -> httpx.Response:
    text = json.dumps(push(store, event(1, args=0)))
    deep = text.replace('"args": 0', f'"args": {"[" * 513}{"]" * 513}')
    return http.post(sync_http.url(store), content=deep, headers=JSON)


def _surrogate(http: httpx.Client, store: str) -> httpx.Response:
    text = json.dumps(push(store, event(1, name="\ud83d")))
    return http.post(sync_http.url(store), content=text, headers=JSON)


JSON = {"content-type": "application/json"}

STRICTER: dict[str, tuple[Callable[[httpx.Client, str], httpx.Response], str]] = {
    "empty store id": (lambda http, store: http.post(sync_http.url(""), json=pull("")), "400"),
    "store id above 512 bytes, or with control characters": (
        lambda http, store: http.post(sync_http.url("x" * 513), json=pull("x" * 513)),
        "400",
    ),
    "header `x-livestore-store-id` that differs from the URL": (
        lambda http, store: http.post(
            sync_http.url(store), json=pull(store), headers={"x-livestore-store-id": "another"}
        ),
        "400",
    ),
    "page of another origin": (
        lambda http, store: http.post(
            sync_http.url(store), json=pull(store), headers={"origin": "https://elsewhere.example"}
        ),
        "403",
    ),
    "another method than `POST`": (
        lambda http, store: http.put(sync_http.url(store), json=pull(store)),
        "405",
    ),
    "body that is no `application/json`, or compressed": (
        lambda http, store: http.post(
            sync_http.url(store), content=b"{}", headers={"content-type": "text/plain"}
        ),
        "415",
    ),
    "batch whose inner parents are broken, or whose numbers do not ascend": (
        _push(event(1), event(3, parent=2)),
        "UnknownError",
    ),
    "number below 1 or above 2^53 - 1": (_push(event(0, parent=-1)), "UnknownError"),
    "batch with one bad event": (_push(event(1), event(2, name="\0")), "UnknownError"),
    "NUL or a lone surrogate in a name, client id or session id": (_surrogate, "UnknownError"),
    "name, client id or session id above 1,024 bytes": (
        _bad(clientId="x" * 1_025),
        "UnknownError",
    ),
    "args nested deeper than 512": (_deep, "UnknownError"),
    "message whose store id differs from the URL's": (
        lambda http, store: http.post(sync_http.url(store), json=pull("another")),
        "403",
    ),
    "message whose payload differs from the URL's": (_push(event(1), payload="another"), "403"),
    "message without a usable id": (
        lambda http, store: http.post(sync_http.url(store), json={**pull(store), "id": "x"}),
        "Defect",
    ),
    "frame that is not UTF-8": (
        lambda http, store: http.post(sync_http.url(store), content=b"\xff", headers=JSON),
        "Defect",
    ),
}
SHOWN_OTHERWISE = {
    "store ids that differ in punctuation only",
    "preflight",
    "second request with an id in use",
}


def test_every_stricter_row_is_shown() -> None:
    documented = {row[0] for row in rows(PAGE.section("Stricter than the original"))}

    assert documented == STRICTER.keys() | SHOWN_OTHERWISE


@pytest.mark.parametrize("row", STRICTER)
def test_what_is_stricter_is_refused_and_stores_nothing(http: httpx.Client, row: str) -> None:
    attempt, expected = STRICTER[row]
    store_id = new_store_id()

    answer = attempt(http, store_id)

    assert outcome(answer) == expected
    assert outcome(http.post(sync_http.url(store_id), json=push(store_id, event(1)))) == "Success"


def test_stores_whose_ids_differ_in_punctuation_only_are_separate(http: httpx.Client) -> None:
    first = new_store_id()
    second = first.replace("-", "_")
    http.post(sync_http.url(first), json=push(first, event(1)))

    assert http.post(sync_http.url(second), json=pull(second)).json()[0]["values"][0]["batch"] == []


def test_a_second_request_with_an_id_in_use_is_refused(site: SiteProcess) -> None:
    store_id = new_store_id()
    live_pull = sync_http.request(
        "SyncWsRpc.Pull", {"storeId": store_id, "live": True, "cursor": {"_tag": "None"}}
    )

    with connect(f"{site.ws_url}/?storeId={store_id}&transport=ws") as socket:
        socket.send(json.dumps(live_pull))
        assert json.loads(socket.recv(DEADLINE_S))["_tag"] == "Chunk"
        socket.send(json.dumps(live_pull))
        refusal = json.loads(socket.recv(DEADLINE_S))

    assert refusal["exit"]["cause"]["error"]["cause"]["name"] == "LimitError"


def test_a_preflight_is_told_a_fixed_list_of_headers(http: httpx.Client) -> None:
    answer = http.options(
        sync_http.url("notes"),
        headers={"origin": "http://localhost:5173", "access-control-request-headers": "x-mine"},
    )

    assert answer.status_code == httpx.codes.NO_CONTENT
    assert "x-mine" not in answer.headers["access-control-allow-headers"]


def _masked(text: str) -> Any:
    return list(_walk(json.loads(text)))


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _walk(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from _walk(item, f"{path}[{index}]")
        case str() if path.endswith((".backendId", ".createdAt")):
            yield path, re.sub(r"[\w-]", "x", value)
        case _:
            yield path, value


def _human(value: float) -> str:
    return HUMAN.get(int(value), f"{value:,g}")
