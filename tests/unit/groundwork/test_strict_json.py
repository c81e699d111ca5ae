"""The reader agrees with JavaScript's ``JSON.parse``, whichever of its two steps decides."""

import json
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Raw, UnsetType

from groundwork import strict_json
from groundwork.strict_json import JsonError, ShapeError


class Inner(msgspec.Struct):
    number: int


class Outer(msgspec.Struct):
    text: str
    number: int = 0
    flag: bool = False
    raw: Raw | UnsetType = UNSET
    either: str | int | UnsetType = UNSET
    word: Literal["None", "Some"] | UnsetType = UNSET
    inners: list[Inner] = []


outer = msgspec.json.Decoder(Outer)
numbers = msgspec.json.Decoder(list[int])


class OnlySecondStep:
    """A decoder that refuses everything, so that the standard library's reader decides."""

    def __init__(self, decoder: msgspec.json.Decoder[Any]) -> None:
        self.type = decoder.type

    def decode(self, _: object) -> Any:
        raise msgspec.DecodeError


def first_step(text: str) -> Any:
    """What msgspec alone says: plain data, or the error's class."""
    try:
        return plain(outer.decode(text))
    except msgspec.ValidationError:
        return ShapeError
    except msgspec.DecodeError:
        return JsonError


def second_step(text: str) -> Any:
    """What the reader on the standard library alone says."""
    return both_steps(text, OnlySecondStep(outer))


def both_steps(text: str, decoder: Any = outer) -> Any:
    """What a caller gets."""
    try:
        return plain(strict_json.read(text, decoder))
    except JsonError as error:
        return type(error)


def plain(value: Outer) -> dict[str, Any]:
    """Only what was given, with a raw text as itself."""
    shown = {name: getattr(value, name) for name in Outer.__struct_fields__}
    if isinstance(value.raw, Raw):
        shown["raw"] = bytes(value.raw).decode()
    shown["inners"] = [inner.number for inner in value.inners]
    defaults: dict[str, Any] = {"number": 0, "flag": False, "inners": []}
    return {
        name: item
        for name, item in shown.items()
        if item is not UNSET and (name not in defaults or item != defaults[name])
    }


BOTH_ACCEPT = {
    "nothing but what is required": ('{"text":"a"}', {"text": "a"}),
    "whitespace of all four kinds": (' {\t"text" :\r"a"\n} ', {"text": "a"}),
    "unknown members": ('{"x":[1,{"y":null}],"text":"a"}', {"text": "a"}),
    "a member twice: the last one wins": ('{"text":"a","text":"b"}', {"text": "b"}),
    "a name that is escaped": (r'{"\u0074ext":"a"}', {"text": "a"}),
    "every escape": (r'{"text":"\"\\\/\b\f\n\r\té"}', {"text": '"\\/\b\f\n\r\té'}),
    "NUL, escaped": (r'{"text":"\u0000"}', {"text": "\0"}),
    "a surrogate pair, escaped": (r'{"text":"\ud83d\ude00"}', {"text": "\U0001f600"}),
    "line separators, DEL, noncharacters": (
        '{"text":"\u2028\u2029\x7f\uffff"}',
        {"text": "\u2028\u2029\x7f\uffff"},
    ),
    "minus zero": ('{"text":"","number":-0}', {"text": ""}),
    "2^53 - 1": ('{"text":"","number":9007199254740991}', {"text": "", "number": 2**53 - 1}),
    "2^63": ('{"text":"","number":9223372036854775808}', {"text": "", "number": 2**63}),
    "a boolean": ('{"text":"","flag":true}', {"text": "", "flag": True}),
    "a union's string": ('{"text":"","either":"1"}', {"text": "", "either": "1"}),
    "a union's integer": ('{"text":"","either":1}', {"text": "", "either": 1}),
    "a literal": ('{"text":"","word":"Some"}', {"text": "", "word": "Some"}),
    "an empty array": ('{"text":"","inners":[ ]}', {"text": ""}),
    "objects in an array": (
        '{"text":"","inners":[ {"number":1} , {"number":2} ]}',
        {"text": "", "inners": [1, 2]},
    ),
    "raw text keeps its inner whitespace and order": (
        '{"text":"","raw": {"b": 1.0,  "a":[ ]} }',
        {"text": "", "raw": '{"b": 1.0,  "a":[ ]}'},
    ),
    "a raw number that no double holds": ('{"text":"","raw":1e400}', {"text": "", "raw": "1e400"}),
    "a raw null is something": ('{"text":"","raw":null}', {"text": "", "raw": "null"}),
    "brackets and quotes inside strings": (
        r'{"text":"","raw":"]}\"{[,"}',
        {"text": "", "raw": r'"]}\"{[,"'},
    ),
}

ONLY_THE_SECOND_ACCEPTS = {
    "1.0 for an integer": ('{"text":"","number":1.0}', {"text": "", "number": 1}),
    "1e0 for an integer": ('{"text":"","number":1e0}', {"text": "", "number": 1}),
    "minus zero as a double": ('{"text":"","number":-0.0}', {"text": ""}),
    "a double for a union's integer": ('{"text":"","either":2.0}', {"text": "", "either": 2}),
    "a lone high surrogate": (r'{"text":"\ud83d"}', {"text": "\ud83d"}),
    "a lone low surrogate": (r'{"text":"\ude00"}', {"text": "\ude00"}),
    "a raw lone surrogate": (r'{"text":"","raw":"\ud83d"}', {"text": "", "raw": r'"\ud83d"'}),
    "a raw integer of 5,000 digits": (
        '{"text":"","raw":' + "7" * 5_000 + "}",
        {"text": "", "raw": "7" * 5_000},
    ),
    "a wrong value that a later one replaces": ('{"text":1,"text":"a"}', {"text": "a"}),
}

ANOTHER_SHAPE = {
    "an array": "[]",
    "null": "null",
    "a string": '"text"',
    "an empty object": "{}",
    "a number for a string": '{"text":1}',
    "null for a string": '{"text":null}',
    "a fraction for an integer": '{"text":"","number":1.5}',
    "a string for an integer": '{"text":"","number":"1"}',
    "true for an integer": '{"text":"","number":true}',
    "null for an integer": '{"text":"","number":null}',
    "an array for an integer": '{"text":"","number":[]}',
    "a number for a boolean": '{"text":"","flag":1}',
    "a string for a boolean": '{"text":"","flag":"yes"}',
    "null for a union": '{"text":"","either":null}',
    "a word that is not in the literal": '{"text":"","word":"Foo"}',
    "an object for an array": '{"text":"","inners":{}}',
    "an array for an object": '{"text":"","inners":[[]]}',
    "an item without its member": '{"text":"","inners":[{}]}',
}

NOT_JSON = {
    "nothing": "",
    "only whitespace": " \n",
    "half an object": '{"text":"a"',
    "something behind": '{"text":"a"}x',
    "two values": '{"text":"a"}{}',
    "a byte order mark": '\ufeff{"text":"a"}',
    "a no-break space": '\xa0{"text":"a"}',
    "a trailing comma in an object": '{"text":"a",}',
    "a trailing comma in an array": '{"text":"","inners":[{"number":1},]}',
    "a missing comma": '{"text":"a" "number":1}',
    "a comment": '{"text":"a"}//',
    "single quotes": "{'text':'a'}",
    "a bare name": "{text:1}",
    "a raw control character": '{"text":"\x01"}',
    "a raw line break in a string": '{"text":"\n"}',
    "a raw U+001E in raw text": '{"text":"","raw":"\x1e"}',
    "an unknown escape": r'{"text":"\x41"}',
    "an unknown escape in raw text": r'{"text":"","raw":"\x41"}',
    "a short escape": r'{"text":"\u12"}',
    "NaN": '{"text":"","raw":NaN}',
    "Infinity": '{"text":"","raw":Infinity}',
    "minus Infinity": '{"text":"","raw":-Infinity}',
    "NaN for an integer": '{"text":"","number":NaN}',
    "a leading zero": '{"text":"","number":01}',
    "a leading plus": '{"text":"","number":+1}',
    "a bare minus": '{"text":"","raw":-}',
    "a number that ends in its point": '{"text":"","raw":1.}',
    "a number that starts with its point": '{"text":"","raw":.5}',
    "a mistake in an unknown member": '{"text":"","x":tru}',
    "a mistake behind a wrong shape": '{"text":1,"x":tru}',
}


@pytest.mark.parametrize(("text", "value"), BOTH_ACCEPT.values(), ids=BOTH_ACCEPT)
def test_both_steps_read_the_same(text: str, value: dict[str, Any]) -> None:
    assert first_step(text) == second_step(text) == both_steps(text) == value


@pytest.mark.parametrize(
    ("text", "value"), ONLY_THE_SECOND_ACCEPTS.values(), ids=ONLY_THE_SECOND_ACCEPTS
)
def test_what_only_javascript_accepts_is_read_by_the_second_step(
    text: str, value: dict[str, Any]
) -> None:
    assert second_step(text) == both_steps(text) == value


@pytest.mark.parametrize("text", ANOTHER_SHAPE.values(), ids=ANOTHER_SHAPE)
def test_both_steps_refuse_another_shape(text: str) -> None:
    assert first_step(text) == second_step(text) == both_steps(text) == ShapeError


@pytest.mark.parametrize("member", ["number", "flag", "word", "inners"])
def test_a_lone_surrogate_where_no_string_belongs_is_another_shape(member: str) -> None:
    assert both_steps(rf'{{"text":"","{member}":"\ud83d"}}') is ShapeError


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON)
def test_neither_step_takes_for_json_what_is_none(text: str) -> None:
    assert first_step(text) in (JsonError, ShapeError)  # msgspec stops at the first wrong type
    assert second_step(text) == both_steps(text) == JsonError


json_strings = st.one_of(
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=8).map(json.dumps),
    st.sampled_from([r'"\ud83d"', r'"\u0000"', r'"\/"', '"None"', '"Some"', '"\x1e"', r'"\x"']),
).filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text))
json_numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "1.0", "1E+2", "01", "1.", "1e400", "-", "9" * 25]),
)
json_texts = st.recursive(
    st.one_of(json_strings, json_numbers, st.sampled_from(["null", "true", "false", "NaN", "tru"])),
    lambda items: st.one_of(
        st.lists(items, max_size=3).map(lambda texts: f"[{','.join(texts)}]"),
        st.lists(st.tuples(json_strings, items), max_size=3).map(
            lambda pairs: "{" + " , ".join(f"{key}:{value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
members = st.tuples(
    st.sampled_from([*Outer.__struct_fields__, "other"]).map(json.dumps), json_texts
)
documents = st.lists(members, max_size=6).map(
    lambda pairs: '{"text":"a",' + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
)


@given(documents)
@example('{"text":"a","number":1e400}')
@example('{"text":"a","number":' + "7" * 5_000 + "}")
def test_the_second_step_never_contradicts_the_first(text: str) -> None:
    first, second = first_step(text), second_step(text)

    if isinstance(first, dict):
        assert second == first
    else:
        assert isinstance(second, dict) or issubclass(second, JsonError)


@given(documents)
def test_what_is_read_is_json_and_what_is_refused_as_none_is_none(text: str) -> None:
    is_json = True
    try:
        strict_json.loads(text)
    except JsonError:
        is_json = False

    assert (both_steps(text) is JsonError) == (not is_json)


@given(json_texts)
def test_raw_text_is_kept_character_for_character(text: str) -> None:
    try:
        strict_json.loads(text)
    except JsonError:
        return

    assert both_steps(f'{{"text":"a","raw":{text}}}')["raw"] == text
    assert second_step(f'{{"text":"a","raw": {text} }}')["raw"] == text


def test_the_error_names_the_place() -> None:
    with pytest.raises(ShapeError, match=r"missing field 'number' at \$\.inners\[1\]"):
        strict_json.read('{"text":"","inners":[{"number":1},{}]}', outer)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"text":"","raw":' + "["])
def test_a_nesting_that_nobody_can_follow_is_refused(opening: str) -> None:
    with pytest.raises(JsonError):
        strict_json.read(opening * 100_000, outer)
    with pytest.raises(JsonError, match="nested too deeply"):
        strict_json.loads("[" * 100_000 + "]" * 100_000)


def test_raw_bytes_are_read_like_text() -> None:
    raw = outer.decode('{"text":"","raw":{"text":"\\ud83d"}}'.replace("\\ud83d", "é")).raw
    assert isinstance(raw, Raw)

    assert strict_json.read(raw, outer).text == "é"


def test_a_number_too_large_for_a_double_is_infinite_as_in_javascript() -> None:
    assert strict_json.loads("1e400") == float("inf")
    assert strict_json.loads("-" + "9" * 5_000) == float("-inf")
    assert strict_json.loads("9" * 30) == int("9" * 30)


@pytest.mark.parametrize(
    ("data", "is_utf_8"),
    [
        ("é\U0001f600".encode(), True),
        (b"", True),
        (b"\xff", False),
        (b"\xc0\x80", False),  # an overlong form of NUL
        (b"\xed\xa0\xbd", False),  # an encoded surrogate
        (b"\xe2\x80", False),  # cut
        ("{}".encode("utf-16"), False),
    ],
)
def test_only_strict_utf_8_is_decoded(data: bytes, is_utf_8: bool) -> None:
    if is_utf_8:
        assert strict_json.decode_utf8(data) == data.decode()
    else:
        with pytest.raises(JsonError, match="not UTF-8 at byte 0"):
            strict_json.decode_utf8(data)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("1", 0),
        ("[]", 1),
        ("[[],[]]", 2),
        ('[{"a":[1]},{"b":2}]', 3),
        ('"[[[["', 0),
        (r'["\"[[[", "\\", [1]]', 2),
        ("[" * 65 + "]" * 65, 65),
    ],
)
def test_depth_counts_nesting_and_nothing_inside_strings(text: str, depth: int) -> None:
    assert not strict_json.is_deeper_than(text, depth)
    if depth:
        assert strict_json.is_deeper_than(text, depth - 1)


plain_values = st.recursive(
    st.one_of(st.none(), st.text(alphabet='[]{}"\\a', max_size=6)),
    lambda items: st.one_of(
        st.lists(items, max_size=3), st.dictionaries(st.text(alphabet='[{"', max_size=3), items)
    ),
    max_leaves=8,
)


@given(plain_values)
def test_depth_is_what_the_parsed_value_says(value: Any) -> None:
    text, depth = json.dumps(value), depth_of(value)

    assert not strict_json.is_deeper_than(text, depth)
    assert strict_json.is_deeper_than(text, depth - 1) == (depth > 0)


@given(plain_values, st.integers(0, 4))
def test_what_is_too_deep_becomes_a_0(value: Any, limit: int) -> None:
    found = strict_json.without_deep_parts(json.dumps(value), limit)

    assert json.loads(found) == cut_off(value, limit)


def test_a_string_that_never_ends_is_looked_at_once() -> None:
    # looking at it again from each quote in it would take hours
    text = "[[" + '"' + r"\"" * 500_000

    assert strict_json.is_deeper_than(text, 1)
    assert strict_json.without_deep_parts(text, 1).startswith("[0")


def test_what_is_deeper_than_any_reader_goes_can_be_read_without_its_depths() -> None:
    deep = "[" * 100_000 + '"]"' + "]" * 100_000

    found = strict_json.without_deep_parts(f'[{deep},"[[[",1]', 3)

    assert json.loads(found) == [[[0]], "[[[", 1]


def cut_off(value: Any, limit: int) -> Any:
    if not isinstance(value, list | dict):
        return value
    if limit == 0:
        return 0
    if isinstance(value, dict):
        return {key: cut_off(item, limit - 1) for key, item in value.items()}
    return [cut_off(item, limit - 1) for item in value]


def depth_of(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth_of, children), default=0)


@pytest.mark.parametrize("depth", range(900, 1_100, 10))
def test_a_depth_at_the_edge_of_what_can_be_followed_raises_nothing_else(depth: int) -> None:
    nested = "[" * depth + "]" * depth

    answer = both_steps(f'{{"text":"\\ud83d","raw":{nested}}}')

    assert answer is JsonError or answer["text"] == "\ud83d"


def test_an_odd_item_does_not_slow_its_neighbours_and_too_many_are_refused() -> None:
    few = ",".join(["1.0", *["2"] * 5_000])
    many = ",".join(["1.0"] * 201)

    assert strict_json.read(f"[{few}]", numbers) == [1, *[2] * 5_000]
    with pytest.raises(strict_json.ShapeError, match="more than 200 unusual items"):
        strict_json.read(f"[{many}]", numbers)


def test_an_odd_object_with_more_members_than_anybody_reads_is_refused() -> None:
    members = ",".join(f'"k{number}":0' for number in range(201))

    assert both_steps(f'{{"text":"a",{members}}}') == {"text": "a"}
    assert both_steps(f'{{"text":"\\ud83d",{members}}}') is ShapeError
