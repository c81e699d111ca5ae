"""What a client sends, as JSON text: every value is written out, so every value can be wrong.

Words between at signs are filled in when a message is sent, as they depend on the connection.
"""

import json
from urllib.parse import quote

CANARY = "CANARY-7f3a9c52e1d84b06"
"""The secret of the sites under test. It must not turn up in any log."""

STORE = "@STORE@"
"""The store's id, as it is written inside of a JSON string."""

BACKEND = "@BACKEND@"
"""The backend id that the store has at present."""

GROUP = "@GROUP@"
"""The transport's group of procedures."""

OTHER_GROUP = "@OTHER_GROUP@"
"""The other transport's."""

REQUEST_ID = '"7"'
PAYLOAD = json.dumps({"authToken": CANARY}, separators=(",", ":"))

PING = '{"_tag":"Ping"}'
EOF = '{"_tag":"Eof"}'
NONE = '{"_tag":"None"}'

PULL = f"{GROUP}.Pull"
PUSH = f"{GROUP}.Push"


def members(fields: dict[str, str | None]) -> str:
    """An object of values that are JSON already; None leaves a member out."""
    inside = ",".join(f'"{name}":{value}' for name, value in fields.items() if value is not None)
    return f"{{{inside}}}"


def some(value: str) -> str:
    """An Option that holds ``value``."""
    return f'{{"_tag":"Some","value":{value}}}'


def request(tag: str, payload: str | None, /, **fields: str | None) -> str:
    """A request for the procedure ``tag``; ``fields`` replaces or adds members of the envelope."""
    envelope: dict[str, str | None] = {
        "_tag": '"Request"',
        "id": REQUEST_ID,
        "tag": json.dumps(tag),
        "payload": payload,
        "headers": "[]",
    }
    return members(envelope | fields)


def event(seq_num: str | int | None = 3, parent: str | int | None = 2, **fields: str | None) -> str:
    """An event; ``fields`` replaces or adds members."""
    known: dict[str, str | None] = {
        "name": '"added"',
        "args": '{"a":1}',
        "seqNum": None if seq_num is None else str(seq_num),
        "parentSeqNum": None if parent is None else str(parent),
        "clientId": '"client"',
        "sessionId": '"session"',
    }
    return members(known | fields)


def push(*events: str, id: str | None = REQUEST_ID, **fields: str | None) -> str:
    """A push of ``events``; ``fields`` replaces or adds members of its payload."""
    known: dict[str, str | None] = {
        "storeId": f'"{STORE}"',
        "payload": PAYLOAD,
        "batch": f"[{','.join(events)}]",
        "backendId": NONE,
    }
    return request(PUSH, members(known | fields), id=id)


def pull(*, id: str | None = REQUEST_ID, **fields: str | None) -> str:
    """A pull of everything; ``fields`` replaces or adds members of its payload."""
    return request(PULL, pull_payload(**fields), id=id)


def pull_payload(**fields: str | None) -> str:
    """The payload of a pull of everything."""
    known: dict[str, str | None] = {
        "storeId": f'"{STORE}"',
        "payload": PAYLOAD,
        "live": "false",
        "cursor": NONE,
    }
    return members(known | fields)


def ping_call(**fields: str | None) -> str:
    """The procedure Ping of the HTTP transport."""
    known: dict[str, str | None] = {"storeId": f'"{STORE}"', "payload": PAYLOAD}
    return request(f"{GROUP}.Ping", members(known | fields))


def cursor(seq_num: str | int, backend_id: str = f'"{BACKEND}"') -> str:
    """A cursor of a pull, as an Option; by default one on the store's own history."""
    return some(f'{{"backendId":{backend_id},"eventSequenceNumber":{seq_num}}}')


def ack(request_id: str = REQUEST_ID) -> str:
    """The client has taken a chunk."""
    return members({"_tag": '"Ack"', "requestId": request_id})


def interrupt(request_id: str = REQUEST_ID) -> str:
    """The client gives up a request."""
    return members({"_tag": '"Interrupt"', "requestId": request_id})


def sync_query(store_id: str, transport: str, *, payload: str | None = PAYLOAD) -> str:
    """The query of a sync URL, encoded as LiveStore's client does it."""
    query = f"storeId={quote(store_id, safe='')}"
    if payload is not None:
        query += f"&payload={quote(quote(payload, safe=''), safe='')}"
    return f"{query}&transport={transport}"
