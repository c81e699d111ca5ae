"""What is written can be read again, by us and by a Durable Object."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from livesync.moving.errors import FileRefusedError
from livesync.moving.new_file import new_file
from livesync.moving.writing import WRITERS, History
from livesync.protocol.events import Event
from livesync.protocol.pages import encode_event, split_item
from tests.factories import make_chain, make_event
from tests.moving_files import BACKEND_ID, STORE, TIME, opened, timed

EVENTS = [
    make_event(1, args=None),
    make_event(2, args="null", name='"}, {'),
    make_event(20_000, parent=2, args='{"a":"\\ud83d \\u0000 ü😀","b":[1.0,{}]}', client_id=""),
]


def history(events: Sequence[Event], *, pieces: int = 1) -> History:
    items = [encode_event(event, TIME) for event in events]
    slices = [items[start::pieces] for start in range(pieces)] if pieces > 1 else [items]
    head = events[-1].seq_num if events else 0
    return History(STORE, BACKEND_ID, head, len(events), TIME, slices)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("events", [EVENTS, []], ids=["some", "none"])
def test_what_was_written_is_read(tmp_path: Path, name: str, events: list[Event]) -> None:
    path = tmp_path / "file"

    WRITERS[name](history(events), path)
    with opened(path) as source:
        found = list(source.events())

    assert found == timed(events)
    assert (source.origin.store_id, source.origin.backend_id) == (STORE, BACKEND_ID)
    assert source.has_times


@pytest.mark.parametrize("name", WRITERS)
def test_several_slices_make_one_file(tmp_path: Path, name: str) -> None:
    events = make_chain(1, 2)

    WRITERS[name](history(events, pieces=2), tmp_path / "file")
    with opened(tmp_path / "file") as source:
        assert list(source.events()) == timed(events)


@pytest.mark.parametrize("event", EVENTS)
def test_an_item_is_split_into_what_it_was_made_of(event: Event) -> None:
    item = encode_event(event, TIME)

    text, created_at = split_item(item)

    assert created_at == TIME
    assert item.startswith(f'{{"eventEncoded":{text},"metadata"')
    assert text.endswith('"}')


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"

    with new_file(path) as unfinished:
        unfinished.write_text("half")
        there = path.exists()

    assert not there
    assert path.read_text() == "half"
    assert path.stat().st_mode & 0o077 == 0
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(tmp_path / "file") as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert list(tmp_path.iterdir()) == []


def test_another_file_is_replaced_only_if_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")

    with pytest.raises(FileRefusedError, match="file is there already"), new_file(path):
        pass
    kept = path.read_text()
    with new_file(path, overwrite=True) as unfinished:
        unfinished.write_text("new")

    assert (kept, path.read_text()) == ("precious", "new")


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="takes no file"), new_file(tmp_path / "a" / "b"):
        pass


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with (
        pytest.raises(FileRefusedError, match="pipe is no file"),
        new_file(tmp_path / "pipe", overwrite=True),
    ):
        pass

    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    full = Path("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        WRITERS["ndjson"](history(EVENTS), full)
