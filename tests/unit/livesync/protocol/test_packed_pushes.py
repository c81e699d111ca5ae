"""A push that is read straight is the one that its JSON would have been."""

import re
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol import records, rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import RPC_PROCEDURES, Call, Refused, read_call
from livesync.protocol.events import Event
from livesync.protocol.messages import Limits
from livesync.protocol.packed_pushes import Unpacked, unpack
from livesync.protocol.records import RecordsError
from livesync.protocol.rpc import Message, Request
from tests import vectors
from tests.factories import make_event, make_events, option, wire_event, wire_events

MAX_CHARS = 20_000
MAX_DEPTH = 40
LIMITS = Limits(args_max_depth=10)
BINDING = Binding("store-1")

texts = st.text(st.characters(exclude_categories=[]), max_size=40)  # lone surrogates as well
numbers = st.integers(-200, 200) | st.integers(-(2**54), 2**54)
scalars = st.none() | st.booleans() | numbers | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10
)
few_texts = st.sampled_from(["a", "todoCreated", "%s", 'a "name"', "n" * 32, "\ud83d", "\0", ""])
few_args = st.fixed_dictionaries({"id": texts, "text %d": texts}) | st.fixed_dictionaries(
    {"count": numbers, "done": st.booleans() | st.none()}
)


@st.composite
def batches(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events as a client sends them, or nearly."""
    number = draw(st.integers(0, 300) | st.integers(0, 2**33))
    batch = []
    for _ in range(draw(st.integers(0, 8))):
        event = {
            "name": draw(few_texts | texts),
            "args": draw(few_args | values),
            "seqNum": number + 1,
            "parentSeqNum": number,
            "clientId": draw(st.sampled_from(["client-1", "client-2"])),
            "sessionId": draw(st.sampled_from(["session-1", "one", "1"])),
        }
        odd = draw(st.sampled_from([*event, *[None] * 20]))
        batch.append(event | {odd: draw(values)} if odd else event)
        number += draw(st.sampled_from([1, 1, 1, 1, 70]))
    return batch


def push(batch: Any, **more: Any) -> dict[str, Any]:
    payload = {"storeId": "store-1", "batch": batch, "backendId": option(None), **more}
    return {"_tag": "Request", "id": "1", "tag": "SyncDoRpc.Push", "payload": payload}


def ask(data: bytes, unpacked: Unpacked | None = None) -> list[Message | Call | Refused] | str:
    """What a message comes to: read by ``unpack``, or by what it must agree with."""
    try:
        if unpacked is None:
            unpacked = Unpacked(records.to_json(data, max_chars=MAX_CHARS, max_depth=MAX_DEPTH))
    except RecordsError as error:
        return str(error)
    return [_read(message, unpacked.batch) for message in rpc.read_messages(unpacked.text)]


def _read(message: Message, batch: list[Event] | None) -> Message | Call | Refused:
    if not isinstance(message, Request):
        return message
    message = message._replace(batch=batch)
    return read_call(message, procedures=RPC_PROCEDURES, binding=BINDING, limits=LIMITS)


def agreed(data: bytes) -> Unpacked | None:
    expected = ask(data)
    if isinstance(expected, str):
        with pytest.raises(RecordsError, match=re.escape(expected)):
            unpack(data, max_chars=MAX_CHARS, max_depth=MAX_DEPTH)
        return None
    unpacked = unpack(data, max_chars=MAX_CHARS, max_depth=MAX_DEPTH)
    assert ask(data, unpacked) == expected
    return unpacked


@given(batches())
def test_any_batch_is_read_as_its_json_is(batch: list[dict[str, Any]]) -> None:
    agreed(records.encode([push(batch)]))


@given(batches(), st.data())
def test_a_damaged_one_is_read_or_refused_as_well(
    batch: list[dict[str, Any]], data: st.DataObject
) -> None:
    damaged = bytearray(records.encode([push(batch)]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255) | st.sampled_from(damaged))

    agreed(bytes(damaged[: data.draw(st.none() | st.integers(0, len(damaged)))]))


def test_recorded_pushes_are_read_straight() -> None:
    pushes = [m for m in vectors.rpc_messages() if "Push" in str(m.value[0].get("tag"))]
    with_args = [m for m in pushes if "args" in m.value[0]["payload"]["batch"][0]]
    unpacked = [unpack(m.data, max_chars=MAX_CHARS, max_depth=MAX_DEPTH) for m in with_args]

    assert len(with_args) > 2
    for message, (_, batch) in zip(with_args, unpacked, strict=True):
        assert batch is not None
        assert wire_events(batch) == message.value[0]["payload"]["batch"]


def test_a_usual_batch_is_read_straight_whatever_it_holds() -> None:
    batch = [
        *make_events(10, after=160),
        make_event(171, name="done", args='{"id":"7","done":true}'),
        make_event(172, name="tagged", args='{"tags":["a",{"b":[64,0.5]}]}'),
        make_event(173, name="done", args='{"id":"8","done":null}'),
        make_event(174, name="100 %s", args='{"100 %s":"%d"}'),
        make_event(175, name="n" * 40, args="[]"),
        make_event(176, args='"session-1"'),
    ]

    unpacked = agreed(records.encode([push(wire_events(batch))]))

    assert unpacked is not None
    assert unpacked.batch == batch
    assert '"batch":[]' in unpacked.text


@pytest.mark.parametrize(
    "message",
    [
        [push(7)],
        [push(wire_events([make_event(1, args=None)]))],
        [push(wire_events(make_events(2))), push(wire_events(make_events(3)))],
        [push([], headers={"batch": wire_events(make_events(2))})],
        [push([]) | {"headers": {"batch": wire_events(make_events(2))}}],
        [{"_tag": "Request", "id": "1", "tag": "SyncDoRpc.Push", "headers": {"batch": [{}]}}],
        [push(wire_events([make_event(1, args="[" * 20 + "]" * 20)]))],
        [push(wire_events([make_event(1, args="[" * 60 + "]" * 60)]))],
        [push(wire_events([make_event(1, args=f'"{"x" * MAX_CHARS}"')]))],
        [push(wire_events(make_events(200)))],
        push(wire_events(make_events(2))),
        [[push(wire_events(make_events(2)))]],
        [push([dict(reversed(wire_event(make_event(1)).items()))])],
        [push([wire_event(make_event(1)) | {"more": 1}])],
        [push([wire_event(make_event(2**40, parent=2**39))])],
        [{"_tag": "Ping"}],
    ],
    ids=lambda message: None,
)
def test_what_is_unusual_is_read_the_long_way(message: Any) -> None:
    agreed(records.encode(message))
    agreed(msgspec.msgpack.encode(message))


def record(record_id: int, keys: list[str], data: bytes) -> bytes:
    return bytes((0xD4, 0x72, record_id)) + msgspec.msgpack.encode(keys) + data


EVENT_KEYS = list(wire_event(make_event(1)))
MAKERS = b"\xa1c\xa1s"


def raw_push(events: bytes, count: int) -> bytes:
    """A push whose events are these bytes."""
    none = record(0x42, ["_tag"], b"\xa4None")
    batch = b"\xdd" + count.to_bytes(4, "big") + events
    payload = record(0x41, ["storeId", "batch", "backendId"], b"\xa7store-1" + batch + none)
    start = b"\xa7Request\xa11\xaeSyncDoRpc.Push"
    return b"\x91" + record(0x40, ["_tag", "id", "tag", "payload"], start + payload)


def raw_event(args: bytes, number: int, *, record_id: bytes = b"\x50") -> bytes:
    numbers = bytes((0xCD, number >> 8, number & 255, 0xCD, number - 1 >> 8, number - 1 & 255))
    return record_id + b"\xa1n" + args + numbers + MAKERS


FIRST = record(0x50, EVENT_KEYS, b"\xa1n" + record(0x51, ["a", "b"], b"\xa1x\xa1y"))
FIRST += raw_event(b"", 300)[3:]


@pytest.mark.parametrize(
    ("second", "is_read_straight"),
    [
        (b"\x51\xa1x\xa1y", True),
        (b"\x51\xa1x\x05", True),
        (b"\x51\xa1x\xcc\x50", True),  # the integer 0x50, no record
        (b"\x51\xa1x\x52", True),  # no record has this id
        (b"\x51\xa1x\x51\xa1x\xa1y", True),  # a record in a record
        (b"\x51\xa1x" + b"\xa4" + MAKERS, False),  # what looks like the end of the event
        (b"\x51\xa1x\xd4\x00\x00", True),  # undefined
        (b"\x51\xa1x\xa3\xed\xa0\xbd", True),  # a lone surrogate
        (b"\x51\xa1x\xca\x3f\x00\x00\x00", True),
        (record(0x51, ["c"], b"\xa1x"), True),  # another meaning of its id
        (record(0x50, ["c"], b"\xa1x"), True),  # that of the events' id
        (b"\xd4\x00\x00", False),
        (b"\x51\xa1x\xa1\xff", False),
        (b"\x51\xa1x\xc4\x01\x00", False),
        (b"\x51\xa1x\xc1", False),
        (b"\xc1", False),
    ],
)
def test_every_token_means_what_it_does_elsewhere(second: bytes, is_read_straight: bool) -> None:
    events = FIRST + raw_event(second, 301)

    unpacked = agreed(raw_push(events, 2))

    assert (unpacked is not None and unpacked.batch is not None) == is_read_straight
    agreed(raw_push(events + raw_event(second, 302), 3))
    agreed(raw_push(events + raw_event(b"\x51\xa1x\xa1y", 302), 3))
    agreed(raw_push(events + raw_event(b"\x51\xa1x", 302), 3))
    agreed(raw_push(events, 3))
    agreed(raw_push(events, 1))


def test_a_hostile_batch_takes_little_memory() -> None:
    # each event repeats, in two bytes, a member of a thousand characters
    args = record(0x51, ["k" * 1_000], b"\xc0")
    events = [record(0x50, EVENT_KEYS, b"\xa1n" + args) + raw_event(b"", 300)[3:]]
    events += [raw_event(b"\x51\xc0", number) for number in range(301, 60_000)]
    data = raw_push(b"".join(events), len(events))
    tracemalloc.start()
    try:
        with pytest.raises(RecordsError, match="too large as JSON"):
            unpack(data, max_chars=1_048_576, max_depth=600)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1_048_576
    finally:
        tracemalloc.stop()
