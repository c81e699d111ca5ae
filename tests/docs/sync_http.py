"""Sync over HTTP with as little code as it takes."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from tests.docs.pages import page

WIRE = page("docs/wire.md")


def new_store_id() -> str:
    """A store that no other test knows."""
    return f"docs-{uuid.uuid4().hex}"


def url(store_id: str, *, payload: str | None = None) -> str:
    """The path and query of a sync request; ``payload`` is JSON text."""
    parameters = {"storeId": store_id, "transport": "http"}
    if payload is not None:
        parameters["payload"] = payload
    return f"/?{httpx.QueryParams(parameters)}"


def event(seq_num: int, *, parent: int | None = None, **members: Any) -> dict[str, Any]:
    """An event; it continues the number before its own unless told otherwise."""
    return {
        "name": "v1.NoteAdded",
        "args": {"id": str(seq_num), "text": "buy milk"},
        "seqNum": seq_num,
        "parentSeqNum": seq_num - 1 if parent is None else parent,
        "clientId": "device-1",
        "sessionId": "tab-1",
        **members,
    }


def push(store_id: str, *batch: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """The body of a push."""
    payload = {"storeId": store_id, "batch": batch, "backendId": {"_tag": "None"}, **members}
    return request("SyncHttpRpc.Push", payload)


def pull(store_id: str, cursor: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of a pull; from the start without a cursor."""
    option = {"_tag": "None"} if cursor is None else {"_tag": "Some", "value": cursor}
    return request("SyncHttpRpc.Pull", {"storeId": store_id, "cursor": option})


def request(tag: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The body of any procedure."""
    return {"_tag": "Request", "id": "1", "tag": tag, "headers": [], "payload": payload}


def outcome(answer: httpx.Response) -> str:
    """How a request ended: ``Success``, the tag of its error, ``Die``, ``Defect`` or a status."""
    if answer.status_code != httpx.codes.OK:
        return str(answer.status_code)
    last = answer.json()[-1]
    if last["_tag"] != "Exit":
        return str(last["_tag"])
    if last["exit"]["_tag"] == "Success":
        return "Success"
    cause = last["exit"]["cause"]
    return str(cause["error"]["_tag"] if cause["_tag"] == "Fail" else cause["_tag"])
