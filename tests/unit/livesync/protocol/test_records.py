"""msgpack with records: read and written as msgpackr does, and nothing hostile gets far."""

import contextlib
import json
import math
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol import records
from livesync.protocol.records import RecordsError
from livesync.protocol.records.reading import MAX_DEFINED_KEYS, MAX_DEFINITIONS
from tests import vectors

RECORDED = vectors.rpc_messages()
UNDEFINED = b"\xd4\x00\x00"
LARGE = 1_048_576

numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=[]))  # lone surrogates as well
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=50
)


def read(data: bytes, *, max_chars: int = LARGE, max_depth: int = 600) -> Any:
    text = records.to_json(data, max_chars=max_chars, max_depth=max_depth)
    text.encode()  # strict UTF-8, as everything that is stored
    return json.loads(text)


def record(record_id: int, keys: list[str], data: bytes) -> bytes:
    return bytes((0xD4, 0x72, record_id)) + msgspec.msgpack.encode(keys) + data


def test_what_the_original_wrote_is_read_as_its_own_parser_reads_it() -> None:
    assert len(RECORDED) > 20
    for message in RECORDED:
        assert [read(message.data)] == [message.value]


def test_what_is_written_is_byte_for_byte_what_the_original_wrote() -> None:
    written = [message for message in RECORDED if UNDEFINED not in message.data]
    assert len(written) > 10
    for message in written:
        assert records.encode(message.value) == message.data


@given(values)
def test_every_value_of_json_comes_back(value: Any) -> None:
    text = json.dumps(value)

    # an emoji and its two halves are one string in JSON
    assert read(records.from_json(text)) == json.loads(text)


@given(values)
def test_plain_maps_are_read_as_well(value: Any) -> None:
    try:
        data = msgspec.msgpack.encode(value)
    except UnicodeEncodeError:
        return  # this writer knows no lone surrogates

    assert read(data) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    with contextlib.suppress(RecordsError):
        assert read(data) is None or data


@given(values, st.data())
def test_a_message_that_was_cut_is_refused(value: Any, data: st.DataObject) -> None:
    whole = records.from_json(json.dumps(value))
    size = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(RecordsError):
        read(whole[:size])


def test_more_shapes_than_ids_take_turns() -> None:
    shapes = [{f"key {number}": number} for number in range(200)]

    assert read(records.encode([*shapes, *reversed(shapes), *shapes])) == [
        *shapes,
        *reversed(shapes),
        *shapes,
    ]


@pytest.mark.parametrize("length", [15, 16, 31, 32, 255, 256, 65_535, 65_536])
def test_lengths_at_the_bounds_of_their_forms(length: int) -> None:
    value = ["x" * length, [0] * length, {str(key): 0 for key in range(min(length, 300))}]

    assert read(records.encode(value), max_chars=10 * LARGE) == value
    assert read(msgspec.msgpack.encode(value), max_chars=10 * LARGE) == value


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (63, "3f"),
        (64, "cc40"),  # 40 would be a record
        (127, "cc7f"),
        (2**32 - 1, "ceffffffff"),
        (2**32, "cb41f0000000000000"),  # cf would be a BigInt
        (-32, "e0"),
        (-(2**31), "d280000000"),
        (-(2**31) - 1, "cbc1e0000000200000"),
        (2**53 + 2, "cb4340000000000001"),
        pytest.param(10**400, "cb7ff0000000000000", id="10^400"),
    ],
)
def test_an_integer_is_a_number_to_javascript(number: int, written: str) -> None:
    assert records.encode(number).hex() == written


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("cb7ff8000000000000", "null"),
        ("cb7ff0000000000000", "null"),
        ("cb8000000000000000", "0"),
        ("cb4014000000000000", "5"),
        ("cb4340000000000000", "9007199254740992.0"),
        ("ca3f000000", "0.5"),
        ("cf001fffffffffffff", "9007199254740991"),
        ("7f", "127"),
        (UNDEFINED.hex(), "null"),
        (f"92{UNDEFINED.hex()}01", "[null,1]"),
        (f"d4724092a161a162{UNDEFINED.hex()}01", '{"b":1}'),
        (f"d4724092a161a16201{UNDEFINED.hex()}", '{"a":1}'),
        (f"d4724091a161{UNDEFINED.hex()}", "{}"),
        (f"82a161{UNDEFINED.hex()}a16201", '{"b":1}'),
        ("a3eda0bd", r'"\ud83d"'),
        ("a100", r'"\u0000"'),
        ("92d4724091a1610140c3", '[{"a":1},{"a":true}]'),
        ("92d4724091a16101d4724091a162c3", '[{"a":1},{"b":true}]'),
        ("91d4724090", "[{}]"),
    ],
)
def test_what_javascript_can_send_and_json_cannot_hold(data: str, text: str) -> None:
    written = records.to_json(bytes.fromhex(data), max_chars=100, max_depth=3)

    assert written == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "ends in the middle"),
        ("a2", "ends in the middle"),
        ("d9", "ends in the middle"),
        ("0101", "more behind the message, at byte 1"),
        ("9101c0", "more behind the message, at byte 2"),
        ("cf0020000000000000", "above 2^53 - 1"),
        ("d3ffdfffffffffffff", "above 2^53 - 1"),
        ("c40100", "binary data at byte 0"),
        ("c1", "a type that is not read"),
        ("c70100ff", "a type that is not read"),
        ("d6ff00000000", "a type that is not read"),  # a date
        ("d572600090", "a type that is not read"),  # a record with an id of two bytes
        ("d4ff00", "an extension that is not read"),
        ("d4723f90", "an extension that is not read"),
        ("d4724001", "a record without its keys"),
        ("d472409101c0", "a key that is no string"),
        ("8101c0", "a key that is no string"),
        ("a1ff", "not UTF-8"),
        ("ddffffffff", "ends in the middle"),
        ("dfffffffff", "ends in the middle"),
        ("dbffffffff", "ends in the middle"),
        ("d47240ddffffffff", "ends in the middle"),
        ("91919190", "nested more than 3 deep"),
    ],
)
def test_what_is_refused_says_why(data: str, reason: str) -> None:
    with pytest.raises(RecordsError, match=reason.replace("^", r"\^")):
        records.to_json(bytes.fromhex(data), max_chars=100, max_depth=3)


def test_the_text_has_a_largest_size() -> None:
    data = records.encode(["x" * 96])

    assert len(records.to_json(data, max_chars=100, max_depth=1)) == 100
    with pytest.raises(RecordsError, match="too large as JSON"):
        records.to_json(data, max_chars=99, max_depth=1)


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\x00\x0f\xff\x00" + b"\x90" * 0xFFF00,
        b"\xdd\x00\x0f\xff\x00" + b"\x91" * 0xFFF00,
        # two bytes an object, of a thousand characters each
        b"\xdd\x00\x07\x00\x00" + record(0x40, ["k" * 1_000], b"\xc0") + b"\x40\xc0" * 0x70000,
        b"\xdd\x00\x07\x00\x00" + record(0x40, [], b"") + b"\x40" * 0x6FFFF,
        record(0x40, ["k"], b"") + b"\x40" * LARGE,
        b"\xdb\x00\x10\x00\x00" + b"\x00" * LARGE,
    ],
    ids=["arrays", "deep arrays", "long keys", "empty records", "deep records", "escapes"],
)
def test_a_hostile_message_takes_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RecordsError):
            records.to_json(data, max_chars=LARGE, max_depth=600)
        assert tracemalloc.get_traced_memory()[1] < 32 * LARGE
    finally:
        tracemalloc.stop()


def array(*items: bytes) -> bytes:
    return b"\xdd" + len(items).to_bytes(4, "big") + b"".join(items)


EMPTY = record(0x40, [], b"")
MANY_KEYS = [str(number) for number in range(MAX_DEFINED_KEYS)]
ONE_KEY = record(0x41, ["key"], b"\x01")


def test_definitions_have_a_largest_number() -> None:
    most = [EMPTY] * MAX_DEFINITIONS

    assert read(array(*most, b"\x40")) == [{}] * (MAX_DEFINITIONS + 1)
    with pytest.raises(RecordsError, match="more than 10000 definitions of records"):
        read(array(*most, EMPTY))


def test_their_keys_have_one_too() -> None:
    most = record(0x40, MANY_KEYS, b"\x01" * MAX_DEFINED_KEYS)

    (value,) = read(array(most), max_chars=4 * LARGE)
    assert len(value) == MAX_DEFINED_KEYS
    with pytest.raises(RecordsError, match="or 100000 keys"):
        read(array(most, ONE_KEY), max_chars=4 * LARGE)


def test_depth_takes_no_depth_of_calls() -> None:
    deep = b"\x91" * 5_000 + b"\xc0"

    text = records.to_json(deep, max_chars=LARGE, max_depth=5_000)

    assert text == "[" * 5_000 + "null" + "]" * 5_000


def test_a_number_without_end_is_one_to_javascript() -> None:
    assert records.from_json("1e999") == records.encode(math.inf)
    assert records.from_json("9" * 500) == records.encode(math.inf)
