"""What LiveStore's own client and server said to each other, recorded on the wire.

``@livestore/sync-cf@0.4.0`` under workerd 1.20251008.0, through a proxy that wrote down every
frame. The recordings called ``raw-...`` come from a bare socket instead of the client. One JSON
object a line; a line with a ``note`` says what the next ones try out.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

_DIRECTORY = Path(__file__).parent / "recordings"
_RPC_DIRECTORY = Path(__file__).parent / "rpc"


class Record(NamedTuple):
    """One line of a recording.

    ``kind`` is message, close, upgrade, upgraded or upgrade-refused for a WebSocket, request or
    response for HTTP, and note. ``text`` is the frame or the body; of a binary frame, decoded.
    """

    kind: str
    direction: Literal["c2s", "s2c", "note"]
    transport: Literal["ws", "http", ""]
    connection: int
    text: str
    url: str
    status: int


def names(prefix: str = "") -> list[str]:
    """The recordings whose name starts with ``prefix``."""
    return sorted(path.stem for path in _DIRECTORY.glob(f"{prefix}*.jsonl"))


@cache
def read(name: str) -> list[Record]:
    """A recording, in the order of time."""
    # not splitlines: it takes the U+2028 inside some frames for the end of a line
    lines = (_DIRECTORY / f"{name}.jsonl").read_text().strip().split("\n")
    return [_record(json.loads(line)) for line in lines]


def from_client(name: str) -> list[Record]:
    """The frames and bodies that the client sent."""
    return [r for r in read(name) if r.direction == "c2s" and r.kind in ("message", "request")]


def from_server(name: str) -> list[Record]:
    """The frames and bodies that the server sent."""
    return [r for r in read(name) if r.direction == "s2c" and r.kind in ("message", "response")]


class RpcMessage(NamedTuple):
    """A message of the RPC transport: its bytes, and what LiveStore's own parser made of them."""

    direction: Literal["c2s", "s2c"]
    data: bytes
    value: Any


def rpc_messages() -> list[RpcMessage]:
    """What was said over the RPC transport, whose bodies are msgpack, in the order of time."""
    files = sorted(_RPC_DIRECTORY.glob("*.jsonl"))
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    return [
        RpcMessage(line["dir"], bytes.fromhex(line["hex"]), line["decoded"][0])
        for line in lines
        if "hex" in line
    ]


def labelled(name: str) -> Iterator[tuple[str, Record]]:
    """Each frame or body from the client, with the last note before it."""
    label = ""
    for record in read(name):
        if record.kind == "note":
            label = record.text
        elif record in from_client(name):
            yield label, record


def _record(line: dict[str, Any]) -> Record:
    text = line["raw"] if "raw" in line else bytes.fromhex(line.get("hex", "")).decode()
    return Record(
        kind=line.get("kind", "note"),
        direction=line["dir"],
        transport=line.get("transport", ""),
        connection=line.get("conn", 0),
        text=line.get("note", text),
        url=line.get("url", ""),
        status=line.get("status", 0),
    )
