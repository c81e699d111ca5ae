"""The wire protocol as a client sees it: text to send, answers as values.

Requests look like those of ``@livestore/sync-cf`` 0.4.0, tracing fields included. Only what a
scenario checks is decoded.
"""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec

TRACE = '"traceId":"8a03cddd33c8bb9b18106287e2699fd1","spanId":"ef28dba30c843a0f","sampled":true'
TEXT = "Write the minutes, send them round, and book the room for next week"


class WireError(Exception):
    """The server answered something other than what the scenario needs."""


class ServerAheadError(WireError):
    """A push was made on another head than the store's."""

    def __init__(self, *, head: int) -> None:
        self.head = head
        super().__init__(f"the head is {head}")


class Numbers(msgspec.Struct, rename="camel"):
    """Where an event stands in its eventlog."""

    seq_num: int
    parent_seq_num: int


class Item(msgspec.Struct, rename="camel"):
    """One event of a page."""

    event_encoded: Numbers


class Tagged(msgspec.Struct):
    """Any value that is told apart by its tag."""

    tag: str = msgspec.field(name="_tag")


class Page(msgspec.Struct, rename="camel"):
    """One answer to a pull."""

    batch: list[Item]
    page_info: Tagged
    backend_id: str


class Failure(msgspec.Struct, rename="camel"):
    """A typed error; ``minimum_expected_num`` only where the server is ahead."""

    tag: str = msgspec.field(name="_tag")
    minimum_expected_num: int = 0


class Cause(msgspec.Struct):
    """Why a request failed."""

    tag: str = msgspec.field(name="_tag")
    error: Failure | None = None


class Exit(msgspec.Struct):
    """How a request ended."""

    tag: str = msgspec.field(name="_tag")
    cause: Cause | None = None


class Answer(msgspec.Struct, rename="camel"):
    """One message of the server: a Chunk has ``values``, an Exit its ``exit``."""

    tag: str = msgspec.field(name="_tag")
    request_id: str = ""
    values: list[Page] = []
    exit: Exit | None = None


decode_answer = msgspec.json.Decoder(Answer).decode
decode_answers = msgspec.json.Decoder(list[Answer]).decode


def search_params(store_id: str, *, transport: str) -> str:
    """The query of a sync URL; ``transport`` is ``ws`` or ``http``."""
    return urlencode({"storeId": store_id, "transport": transport})


def encode_events(count: int, *, after: int) -> str:
    """A JSON array of ``count`` events that continue ``after``, about 230 bytes each."""
    return "[" + ",".join(_encode_event(parent) for parent in range(after, after + count)) + "]"


def _encode_event(parent: int) -> str:
    number = parent + 1
    return (
        f'{{"name":"v1.TodoCreated","args":{{"id":"todo-{number}","text":"{TEXT}"}},'
        f'"seqNum":{number},"parentSeqNum":{parent},'
        '"clientId":"benchmark-1","sessionId":"session-1"}'
    )


def push_request(
    request_id: str, store_id: str, events: str, *, backend_id: str, rpc: str = "SyncWsRpc"
) -> bytes:
    """A push of the JSON array ``events``."""
    return (
        f'{{"_tag":"Request","id":"{request_id}","tag":"{rpc}.Push","payload":{{'
        f'"storeId":"{store_id}","batch":{events},'
        f'"backendId":{{"_tag":"Some","value":"{backend_id}"}}}},{TRACE},"headers":[]}}'
    ).encode()


def pull_request(
    request_id: str,
    store_id: str,
    *,
    cursor: tuple[str, int] | None = None,
    live: bool | None = None,
    rpc: str = "SyncWsRpc",
) -> bytes:
    """A pull after ``cursor`` (backend id, sequence number); from the start when there is none.

    ``live`` is left out over HTTP, which does not know it.
    """
    payload: dict[str, Any] = {"storeId": store_id, "cursor": {"_tag": "None"}}
    if live is not None:
        payload["live"] = live
    if cursor is not None:
        backend_id, number = cursor
        value = {"backendId": backend_id, "eventSequenceNumber": number}
        payload["cursor"] = {"_tag": "Some", "value": value}
    return (
        f'{{"_tag":"Request","id":"{request_id}","tag":"{rpc}.Pull",'
        f'"payload":{json.dumps(payload)},{TRACE},"headers":[]}}'
    ).encode()


def ack(request_id: str) -> bytes:
    """The answer to one Chunk."""
    return f'{{"_tag":"Ack","requestId":"{request_id}"}}'.encode()


def require_success(end: Exit) -> None:
    """Raise unless the request succeeded.

    Raises:
        ServerAheadError: the push was made on another head.
        WireError: any other failure.
    """
    if end.tag == "Success":
        return
    error = end.cause.error if end.cause else None
    if error is not None and error.tag == "ServerAheadError":
        raise ServerAheadError(head=error.minimum_expected_num)
    raise WireError(f"the request failed: {error or end.cause}")


def require_chain(pages: list[Page], *, after: int) -> int:
    """Raise unless the events continue ``after`` one by one; give the last number."""
    for page in pages:
        for item in page.batch:
            event = item.event_encoded
            if event.parent_seq_num != after or event.seq_num != after + 1:
                raise WireError(f"after event {after} came {event}")
            after += 1
    return after


def require_http_success(body: bytes | bytearray) -> None:
    """Raise ``WireError`` unless the response holds nothing but a successful Exit."""
    answers = decode_answers(body)
    if len(answers) != 1 or answers[0].exit is None:
        raise WireError(f"an unexpected response: {bytes(body[:500])!r}")
    require_success(answers[0].exit)


def http_pages(body: bytes | bytearray) -> list[Page]:
    """All pages of a pull's response, which must end with a successful Exit."""
    *chunks, last = decode_answers(body)
    if last.exit is None or any(chunk.tag != "Chunk" for chunk in chunks):
        raise WireError(f"an unexpected response: {bytes(body[:500])!r}")
    require_success(last.exit)
    return [page for chunk in chunks for page in chunk.values]


def first_answer_bytes(body: bytes | bytearray) -> int:
    """How many bytes of a response's array hold its bracket and its first answer."""
    text = body.decode()
    start = text.index("{")
    _, end = json.JSONDecoder().raw_decode(text, start)
    return len(text[:end].encode())
