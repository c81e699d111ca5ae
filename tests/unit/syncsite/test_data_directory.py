"""The data directory: who may read it, and when it refuses."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncsite.data_directory import prepared, read_secret_key
from syncsite.errors import StartRefusedError


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


@pytest.fixture
def file(directory: Path) -> Path:
    return directory / "livesync.sqlite3"


def use(directory: Path, file: Path, secret_key: str | None = "key") -> None:
    with prepared(directory, [file], secret_key=secret_key), closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS kept (x)")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_read_what_is_made(directory: Path, file: Path) -> None:
    use(directory, file)

    assert mode(directory) == 0o700
    assert {mode(path) for path in directory.iterdir()} == {0o600}


def test_a_directory_that_others_could_read_is_closed(directory: Path, file: Path) -> None:
    directory.mkdir(parents=True, mode=0o755)

    use(directory, file)

    assert mode(directory) == 0o700


def test_the_secret_key_is_kept(directory: Path, file: Path) -> None:
    first = read_secret_key(directory)
    use(directory, file, first)
    use(directory, file, "another one")

    assert len(first) >= 50
    assert read_secret_key(directory) == first


def test_a_secret_key_from_outside_is_not_written_down(directory: Path, file: Path) -> None:
    use(directory, file, None)

    assert not (directory / "secret_key").exists()


def test_with_nothing_to_keep_nothing_is_made(directory: Path) -> None:
    with prepared(directory, [], secret_key=None):
        pass

    assert not directory.exists()


def test_what_was_there_stays(directory: Path, file: Path) -> None:
    use(directory, file)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("INSERT INTO kept VALUES (1)")

    use(directory, file)

    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT x FROM kept").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (Path.unlink, "is gone"),
        (lambda file: file.write_bytes(b""), "is empty"),
        (lambda file: file.write_bytes(b"\x00" * 100), "is not an SQLite database"),
    ],
)
def test_a_lost_database_is_not_made_anew(
    directory: Path, file: Path, damage: Callable[[Path], object], told: str
) -> None:
    use(directory, file)
    damage(file)
    after_the_damage = {path.name for path in directory.iterdir()}

    with pytest.raises(StartRefusedError, match=told) as refusal:
        use(directory, file)

    assert str(file) in str(refusal.value)
    assert "delete the whole directory" in str(refusal.value)
    assert {path.name for path in directory.iterdir()} == after_the_damage


def test_deleting_the_whole_directory_starts_over(directory: Path, file: Path) -> None:
    use(directory, file)
    shutil.rmtree(directory)

    use(directory, file)

    assert file.exists()


def test_a_start_that_failed_may_be_tried_again(directory: Path, file: Path) -> None:
    with pytest.raises(ZeroDivisionError), prepared(directory, [file], secret_key="key"):
        raise ZeroDivisionError

    use(directory, file)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartRefusedError, match="cannot be used"):
        use(tmp_path / "file" / "data", tmp_path / "file" / "data" / "livesync.sqlite3")
