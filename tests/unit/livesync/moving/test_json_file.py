"""The JSON of LiveStore's command line, and NDJSON."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from livesync.moving import text
from livesync.moving.errors import FileRefusedError
from livesync.protocol.events import Event
from livesync.protocol.messages import Limits
from tests.factories import make_chain, make_event, make_events, wire_event
from tests.moving_files import (
    BACKEND_ID,
    STORE,
    TIME,
    events_in,
    heading,
    opened,
    timed,
    write_cli_json,
    write_ndjson,
)

ODD = [
    make_event(1, args=None),
    make_event(2, args="null"),
    make_event(3, args='{"a":[1,{"b":"},\\n  {"}],"c":"\\ud83d \\u0000 ü 😀"}', name="ü }, {"),
    make_event(4, args="[1.0,1e400,-0.0,9007199254740993,5e-324]", client_id="", session_id="}"),
]


def raw(path: Path, events: list[str], **said: object) -> Path:
    """A file with these texts as its events."""
    begin = json.dumps(heading(len(events), **said))[:-1]
    path.write_text(f'{begin}, "events": [{",".join(events)}]}}')
    return path


def verbatim(event: Event) -> str:
    """An event with its args as they are."""
    members = json.dumps(wire_event(replace(event, args=None)))
    return members if event.args is None else f'{members[:-1]},"args":{event.args}}}'


def texts(*events: Event) -> list[str]:
    return [verbatim(event) for event in events]


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("indent", [2, None, 0, 7])
def test_the_events_of_the_command_line_are_read(tmp_path: Path, indent: int | None) -> None:
    events = make_chain(1, 5, 6, 20_000, args='{"list":[{"a":1},{"b":[{}]}],"text":"x"}')
    path = write_cli_json(tmp_path / "file", events, indent=indent)

    with opened(path) as source:
        found = list(source.events())

    assert found == timed(events)
    assert (source.origin.kind, source.origin.store_id) == ("JSON", STORE)
    assert (source.origin.backend_id, source.origin.event_count) == (None, 4)
    assert not source.has_times


def test_args_are_kept_as_they_are(tmp_path: Path) -> None:
    path = raw(tmp_path / "file", texts(*ODD))

    assert [event.event.args for event in events_in(path)] == [event.args for event in ODD]


def test_white_space_between_the_parts_of_args_is_dropped(tmp_path: Path) -> None:
    surrogate = make_event(1, args='{\n  "a b": "c \\ud83d  d",\n  "e": [\n 1\n]\n}')
    plain = make_event(2, args='{\n  "a b": "c  d",\n  "e": [\n 1.0\n]\n}')
    path = raw(tmp_path / "file", texts(surrogate, plain))

    first, second = (found.event.args for found in events_in(path))

    assert first == '{"a b":"c \\ud83d  d","e":[1]}'
    assert second == '{"a b":"c  d","e":[1.0]}'


def test_lines_are_read_with_their_times_and_the_backend_id(tmp_path: Path) -> None:
    path = write_ndjson(tmp_path / "file", make_events(3))

    with opened(path) as source:
        found = list(source.events())

    assert found == timed(make_events(3))
    assert (source.origin.kind, source.origin.backend_id) == ("NDJSON", BACKEND_ID)
    assert source.has_times
    assert source.share_read() == 1.0


@pytest.mark.parametrize("write", [write_cli_json, write_ndjson])
def test_the_size_of_the_pieces_that_are_read_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    events = make_events(9, args='{"text":"ü😀","list":[1.5,[{}]]}')
    path = write(tmp_path / "file", events)  # type: ignore[operator]

    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr(text, "CHUNK_BYTES", size)
        assert [found.event for found in events_in(path)] == events


def test_members_that_nobody_knows_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    event = f'{verbatim(make_event(1))[:-1]},"extra":[1,"x"]}}'
    begin = json.dumps({"extra": {"events": []}, **heading(1)})[:-1]
    path.write_text(f'{begin},"events":[{event}],"more":{{"a":[1]}}}}\n')

    assert events_in(path) == timed([make_event(1)])


def test_no_event_at_all_is_an_empty_store(tmp_path: Path) -> None:
    assert events_in(write_cli_json(tmp_path / "json", [])) == []
    assert events_in(write_ndjson(tmp_path / "lines", [])) == []


GOOD = texts(*make_events(3))
BROKEN = {
    "not one of three": (heading(4), GOOD, "speaks of 4 events, but there are 3"),
    "wrong version": (heading(3, version=2), GOOD, "version 2 of the format"),
    "no version": ({"storeId": "x"}, GOOD, "the heading has missing field 'version'"),
    "duplicate": (heading(3), texts(*make_chain(1, 2), make_event(2)), "event 2 is there twice"),
    "gap": (heading(2), texts(make_event(1), make_event(3)), "line 3: event 3 has parent 2"),
    "starts late": (heading(1), texts(make_event(5)), "event 5 has parent 4, but follows none"),
    "backwards": (
        heading(2),
        texts(make_event(5, parent=0), make_event(3, parent=5)),
        "line 3: event 3 follows event 5",
    ),
    "zero": (heading(1), texts(make_event(0, parent=0)), "line 2: event 0 with parent 0"),
    "too high": (heading(1), texts(make_event(2**53, parent=0)), "event 9007199254740992 is"),
    "huge": (heading(1), texts(make_event(10**30, parent=0)), "is above 2^53 - 1"),
    "fraction": (heading(1), [GOOD[0].replace(": 1,", ": 1.5,")], "line 2: no event"),
    "no name": (heading(1), ['{"seqNum":1}'], "line 2: no event: missing field"),
    "no object": (heading(1), ["17"], "line 2: no event"),
    "name with NUL": (heading(1), texts(make_event(1, name="a\0b")), "event 1: name holds a NUL"),
    "surrogate": (heading(1), texts(make_event(1, name="\ud83d")), "name holds a lone"),
    "long name": (heading(1), texts(make_event(1, name="x" * 1025)), "name has 1025 bytes"),
    "time": (heading(1), [GOOD[0][:-1] + ',"createdAt":"2026-13-01T00:00:00.000Z"}'], "no time"),
    "exported at": (heading(1, exportedAt="today"), GOOD[:1], "'today', which is no time"),
    "deep": (heading(1), texts(make_event(1, args=deep(513))), "more than 512 deep"),
    "very deep": (heading(1), texts(make_event(1, args=deep(10**5))), "deep"),
    "not JSON": (heading(1), ['{"name": nul}'], "line 2: not JSON"),
    "not a number": (heading(1), [GOOD[0].replace('"hello"', "NaN")], "line 2: not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_not_sound_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    said, events, message = BROKEN[name]
    path = tmp_path / "file"
    separator = ",\n"
    path.write_text(f'{json.dumps(said)[:-1]},"events":[\n{separator.join(events)}\n]}}')

    with pytest.raises(FileRefusedError) as refused:
        events_in(path)

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("{", "line 1: expected the name of a member"),
        ("{}", "the heading has missing field"),
        ('{"version": 1', "line 1: expected ','"),
        ('{"version": 1, "events": {', "line 1: expected '['"),
        ('{"version": 1,,', "line 1: expected the name"),
        ('{"a": "' + "x" * 20_000, "the file ends before this does"),
        ('{"a":1,' * 200, "expected the name"),
        ('{"storeId":"x","storeId":"y"', "line 1: storeId is there twice in the heading"),
        ("{" + ",".join(f'"a{n}":1' for n in range(101)), "more than 100 members"),
        (json.dumps(heading(0))[:-1] + ',"events":[', "the file ends before"),
        (json.dumps(heading(0))[:-1] + ',"events":[]', "expected ',', found the end of the file"),
        (json.dumps(heading(0))[:-1] + ',"events":[]}x', "something follows after the end"),
        (json.dumps(heading(0))[:-1] + ',"events":[],"storeId":"x"}', "storeId stands behind"),
        (json.dumps(heading(1))[:-1] + f',"events":[{GOOD[0]}', "expected ',', found the end"),
        (json.dumps(heading(1))[:-1] + f',"events":[{GOOD[0]} {GOOD[0]}]}}', "expected ','"),
        (json.dumps(heading(1))[:-1] + f',"events":[{GOOD[0][:50]}', "the file ends before"),
        (json.dumps(heading(1)) + f" {GOOD[0]}\n", "its line goes on"),
        (json.dumps(heading(1)) + f"\n{GOOD[0][:50]}", "line 2: no event"),
        (json.dumps(heading(2)) + f"\n{GOOD[0]}\n\n{GOOD[1]}\n", "line 3: an empty line"),
    ],
)
def test_a_file_that_is_cut_off_or_garbled_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content)

    with pytest.raises(FileRefusedError) as refused:
        events_in(path)

    assert message in str(refused.value)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_ndjson(tmp_path / "file", make_events(2))
    path.write_bytes(path.read_bytes().replace(b"hello", b"h\xffllo"))

    with pytest.raises(FileRefusedError, match="line 2: not UTF-8"):
        events_in(path)


def test_an_item_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(heading(1))[:-1] + ',"events":[\n{"name":"')
    with path.open("ab") as file:
        for _ in range(20):
            file.write(b"x" * (1 << 20))

    with pytest.raises(FileRefusedError, match=r"line 2: .* longer than 8,000,000 characters"):
        events_in(path)


def test_two_gigabytes_of_nothing_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(heading(1))[:-1] + ',"events":[')
    with path.open("ab") as file:
        file.truncate(2 << 30)

    with pytest.raises(FileRefusedError, match="line 1: not JSON"):
        events_in(path)


def test_the_limits_are_those_of_the_site(tmp_path: Path) -> None:
    path = write_ndjson(tmp_path / "file", [make_event(1, name="x" * 2_000, args="[[1]]")])

    assert len(events_in(path, limits=Limits(field_max_bytes=2_000))) == 1
    assert events_in(path, limits=Limits(field_max_bytes=2_000))[0].created_at == TIME
