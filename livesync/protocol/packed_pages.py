"""A chunk with a page, as msgpack and records: what a pull by RPC mostly answers.

The bytes are those that ``records`` makes of the same chunk as JSON, in half the time: msgspec
reads the page straight into its shape, and what each event repeats is written but once.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from livesync.protocol import records
from livesync.protocol.records import Writer, integer


class _Event(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    name: str
    args: Any = UNSET
    seq_num: int
    parent_seq_num: int
    client_id: str
    session_id: str


class _Created(msgspec.Struct, rename="camel", gc=False):
    created_at: str


class _Metadata(msgspec.Struct, gc=False):
    value: _Created


class _Item(msgspec.Struct, rename="camel", gc=False):
    event_encoded: _Event
    metadata: _Metadata


class _PageInfo(msgspec.Struct, rename={"tag": "_tag"}):
    tag: str
    remaining: int | UnsetType = UNSET


class _Value(msgspec.Struct, rename="camel", kw_only=True):
    rpc_request_id: str | UnsetType = UNSET
    batch: list[_Item]
    page_info: _PageInfo
    backend_id: str


class _Chunk(msgspec.Struct, rename="camel"):
    request_id: str | int
    values: list[_Value]


_chunk = msgspec.json.Decoder(_Chunk)

_CHUNK_START = '{"_tag":"Chunk",'
_VALUE = ("rpcRequestId", "batch", "pageInfo", "backendId")
_ITEM = ("eventEncoded", "metadata")
_EVENT = ("name", "args", "seqNum", "parentSeqNum", "clientId", "sessionId")
_METADATA = ("_tag", "value")
_CREATED = ("_tag", "createdAt")
_CREATED_TAG = "SyncMessage.SyncMetadata"


def pack(answer: str) -> bytes:
    """``[answer]`` as msgpack and records.

    Args:
        answer: the JSON of ``rpc.rpc_chunk``, ``rpc.chunk`` or any other answer.
    """
    if answer.startswith(_CHUNK_START):
        try:
            chunk = _chunk.decode(answer)
        except (msgspec.DecodeError, RecursionError):
            pass  # it may hold a lone surrogate
        else:
            writer = Writer()
            _write_chunk(writer, chunk)
            # after that many records the ids that are counted on here have got another meaning
            if not writer.is_full:
                return writer.finish()
    return records.from_json(f"[{answer}]")


def _write_chunk(writer: Writer, chunk: _Chunk) -> None:
    writer.open_array(1)
    writer.open(("_tag", "requestId", "values"))
    writer.write("Chunk")
    writer.write(chunk.request_id)
    writer.open_array(len(chunk.values))
    for value in chunk.values:
        _write_value(writer, value)


def _write_value(writer: Writer, value: _Value) -> None:
    if value.rpc_request_id is UNSET:
        writer.open(_VALUE[1:])
    else:
        writer.open(_VALUE)
        writer.write(value.rpc_request_id)
    writer.open_array(len(value.batch))
    _write_items(writer, value.batch)
    writer.write(msgspec.to_builtins(value.page_info))
    writer.write(value.backend_id)


def _write_items(writer: Writer, items: list[_Item]) -> None:
    rest = iter(items)
    for item in rest:
        writer.write(_value_of(item))
        if item.event_encoded.args is not UNSET and not writer.is_full:
            _write_rest(writer, rest)  # every record around the args has its id now


def _write_rest(writer: Writer, items: Iterator[_Item]) -> None:
    # no calls for what nearly every event consists of
    ids, write, define = writer.ids, writer.write, writer.define
    put = writer.tokens.append
    head = Raw(bytes((ids[_ITEM], ids[_EVENT])))
    middle = Raw(_encode_middle(ids[_METADATA], ids[_CREATED]))
    for item in items:
        event = item.event_encoded
        args = event.args
        if args is UNSET:
            write(_value_of(item))
            continue
        put(head)
        put(event.name)
        if type(args) is dict:
            keys = tuple(args)
            put(ids.get(keys) or define(keys))
            for value in args.values():
                put(value) if type(value) is str else write(value)
        else:
            write(args)
        seq_num, parent = event.seq_num, event.parent_seq_num
        put(seq_num if 0x7F < seq_num < 2**32 else integer(seq_num))
        put(parent if 0x7F < parent < 2**32 else integer(parent))
        put(event.client_id)
        put(event.session_id)
        put(middle)
        put(item.metadata.value.created_at)


def _encode_middle(metadata: int, created: int) -> bytes:
    some, tag = records.encode("Some"), records.encode(_CREATED_TAG)
    return b"%c%b%c%b" % (metadata, some, created, tag)


def _value_of(item: _Item) -> dict[str, Any]:
    created = {"_tag": _CREATED_TAG, "createdAt": item.metadata.value.created_at}
    event = msgspec.structs.asdict(item.event_encoded).values()
    encoded = {key: value for key, value in zip(_EVENT, event, strict=True) if value is not UNSET}
    return {"eventEncoded": encoded, "metadata": {"_tag": "Some", "value": created}}
