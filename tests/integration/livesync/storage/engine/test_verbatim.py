"""What a client wrote comes back as it was, whatever it is."""

import json

import pytest

from livesync.storage.engine import Engine
from tests.factories import make_event, make_events
from tests.storage import numbers, push, rows, stored_events

ODD_TEXTS = {
    "nothing": "",
    "a record separator": "\x1e",
    "record separators": "\x1e\x1ea\x1e",
    "a line break and a tab": "a\n\tb\r",
    "quotes and backslashes": "'\"\\\\'--`",
    "wildcards and placeholders": "%s ? $1 %(a)s _ {}",
    "emoji": "\U0001f469\u200d\U0001f680",
    "line separators": "\u2028\u2029",
    "noncharacters": "\uffff\ufffe\U0010ffff",
    "right to left": "\u202eabc",
    "decomposed": "e\u0301",
    "the null of PostgreSQL": r"\N",
    "a comma and braces": '{a,"b",NULL}',
    "1,024 bytes": "é" * 512,
}

ODD_ARGS = {
    "absent": None,
    "null": "null",
    "an empty string": '""',
    "the text null": '"null"',
    "an escaped NUL": r'"\u0000"',
    "a lone high surrogate": r'{"cut":"\ud83d"}',
    "a lone low surrogate": r'"\ude00\ud83d"',
    "escaped separators": r'"\u001e\u2028"',
    "raw separators": '"\u2028\u2029"',
    "spaces and order": '{ "b" : 1 ,\n "a":[ 1,2 ] }',
    "a member twice": '{"a":1,"a":2}',
    "numbers as written": "[0.1, 1e21, 5e-324, 9007199254740993, -0.0, 1.0, 1e400]",
    "5,000 digits": "7" * 5_000,
    "512 deep": "[" * 512 + "]" * 512,
    "a script's end": '"</script><!--"',
    "an escaped slash": r'"\/"',
    "emoji": '"\U0001f600"',
    "100 kB": json.dumps("x" * 100_000),
}


def test_names_and_ids_come_back_as_they_were(engine: Engine) -> None:
    texts = list(ODD_TEXTS.values())

    push(
        engine,
        [make_event(n, name=t, client_id=t, session_id=t) for n, t in enumerate(texts, start=1)],
    )

    for member in ("name", "clientId", "sessionId"):
        assert [event[member] for event in stored_events(engine)] == texts


def test_so_do_those_of_an_event_alone(engine: Engine) -> None:
    for store_id, text in ODD_TEXTS.items():
        push(engine, [make_event(1, name=text, client_id=text, session_id=text)], to=store_id)

    for store_id, text in ODD_TEXTS.items():
        (event,) = stored_events(engine, store_id)
        assert [event["name"], event["clientId"], event["sessionId"]] == [text] * 3


def test_args_come_back_character_for_character(engine: Engine) -> None:
    texts = list(ODD_ARGS.values())

    push(engine, [make_event(n, args=args) for n, args in enumerate(texts, start=1)])

    assert [event["args"] for event in stored_events(engine)] == texts


def test_so_do_the_args_of_an_event_alone(engine: Engine) -> None:
    for store_id, args in ODD_ARGS.items():
        push(engine, [make_event(1, args=args)], to=store_id)

    found = {store_id: stored_events(engine, store_id)[0]["args"] for store_id in ODD_ARGS}

    assert found == ODD_ARGS


def test_absent_args_are_null_in_the_table_and_null_is_text(engine: Engine) -> None:
    push(engine, [make_event(1, args=None), make_event(2, args="null")])

    assert [row.args for row in rows(engine)] == [None, "null"]


@pytest.mark.parametrize("names", [["a-b", "a_b", "A-B"], ["é", "e\u0301"], ["a", "a ", " a"]])
def test_stores_are_told_apart_byte_for_byte(engine: Engine, names: list[str]) -> None:
    for count, name in enumerate(names, start=1):
        push(engine, make_events(count), to=name)

    assert [len(numbers(engine, name)) for name in names] == list(range(1, len(names) + 1))
    assert len({state.backend_id for state in engine.states(names).values()}) == len(names)


def test_any_store_id_is_a_store(engine: Engine) -> None:
    store_ids = [*filter(None, ODD_TEXTS.values()), "é" * 256]

    for store_id in store_ids:
        push(engine, make_events(1), to=store_id)

    assert set(engine.states(store_ids)) == set(store_ids)
    assert [numbers(engine, store_id) for store_id in store_ids] == [[1]] * len(store_ids)
