"""How many files are open, and which."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groundwork.durable_files import make_file, remove_file
from livesync.storage.engine import Append
from livesync.storage.files.layout import Layout
from livesync.storage.files.open_files import OpenFiles
from livesync.storage.files.schema import new_file
from livesync.storage.routed import RoutedEngine
from tests.conftest import Figure
from tests.factories import make_events
from tests.storage import numbers, push, read
from tests.store_files import another


def handles() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_many_stores_need_few_open_files(engine: RoutedEngine, figure: Figure) -> None:
    count, busy = figure(usually=200, drill=10_000), figure(usually=10, drill=100)
    tight = another(engine, max_open=12)
    push(tight, [], to="first")
    before = handles()
    names = [f"store {number}" for number in range(count)]

    for start in range(0, count, 500):
        some = names[start : start + 500]
        tight.commit([Append(name, None, make_events(1)) for name in some])
        assert tight.files.open_files.count <= 12
        assert handles() <= before + 3 * 12
    for after in range(1, 4):
        for name in names[:busy]:
            push(tight, make_events(1, after=after), to=name)
            assert read(tight, store_id=name).state.head == after + 1

    assert handles() <= before + 3 * 12
    assert [numbers(tight, name) for name in (names[0], names[-1])] == [[1, 2, 3, 4], [1]]
    tight.stop()
    assert handles() <= before


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The files of stores a, b and c, each with the store's name as its backend id."""
    layout = Layout(tmp_path)
    for store_id in "abc":
        make_file(layout.file(store_id), new_file(store_id, store_id))
    return layout


@pytest.fixture
def open_two(layout: Layout) -> Iterator[OpenFiles]:
    """Keeps two open."""
    files = OpenFiles(layout, max_open=2)
    yield files
    files.close_all()


def use(files: OpenFiles, store_id: str) -> object:
    """The connection that was lent; it is given back."""
    file = files.take(store_id)
    assert file.state().backend_id == store_id
    files.give_back(file)
    return file


def test_the_file_that_was_used_longest_ago_is_closed(open_two: OpenFiles) -> None:
    first_a, b = use(open_two, "a"), use(open_two, "b")
    assert use(open_two, "a") is first_a

    use(open_two, "c")

    assert open_two.count == 2
    assert use(open_two, "a") is first_a
    assert use(open_two, "b") is not b


def test_files_in_use_are_counted_and_not_closed(open_two: OpenFiles) -> None:
    files = [open_two.take(store_id) for store_id in "abc"]

    assert open_two.count == 3
    assert [file.state().backend_id for file in files] == ["a", "b", "c"]
    for file in files:
        open_two.give_back(file)
    assert open_two.count == 2


def test_two_who_use_one_file_have_a_connection_each(open_two: OpenFiles) -> None:
    one, other = open_two.take("a"), open_two.take("a")
    open_two.give_back(one)
    open_two.give_back(other)

    assert one is not other
    open_two.close("a")
    assert open_two.count == 0


def write_nonsense(path: Path) -> None:
    path.write_bytes(b"x" * 5_000)


@pytest.mark.parametrize(
    ("break_file", "error"),
    [(remove_file, FileNotFoundError), (write_nonsense, sqlite3.DatabaseError)],
)
def test_what_cannot_be_opened_is_not_counted(
    open_two: OpenFiles,
    layout: Layout,
    break_file: Callable[[Path], None],
    error: type[Exception],
) -> None:
    break_file(layout.file("a"))

    for _ in range(2):
        with pytest.raises(error):
            open_two.take("a")

    assert open_two.count == 0


def test_what_was_given_up_is_opened_anew(open_two: OpenFiles) -> None:
    file = open_two.take("a")
    open_two.give_up(file)

    assert open_two.count == 0
    assert use(open_two, "a") is not file


def test_a_file_that_was_away_meanwhile_is_opened_anew(open_two: OpenFiles, layout: Layout) -> None:
    before = use(open_two, "a")
    remove_file(layout.file("a"))
    make_file(layout.file("a"), new_file("a", "a"))

    assert use(open_two, "a") is not before
    assert open_two.count == 1


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_file_that_goes_while_it_is_opened_is_a_missing_one(
    open_two: OpenFiles, layout: Layout, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    path, content = layout.file("a"), new_file("a", "a")
    connect = sqlite3.connect

    def connect_and_move(*args: Any, **options: Any) -> sqlite3.Connection:
        driver: sqlite3.Connection = connect(*args, **options)
        remove_file(path)
        if comes_back:
            make_file(path, content)
        return driver

    with monkeypatch.context() as slow:
        slow.setattr(sqlite3, "connect", connect_and_move)
        with pytest.raises(FileNotFoundError):
            open_two.take("a")

    assert open_two.count == 0
