"""What a file is, and what is no file."""

import os
from pathlib import Path

import pytest

from livesync.moving.errors import FileRefusedError
from tests.moving_files import events_in, write_durable_object


def test_a_link_is_refused(tmp_path: Path) -> None:
    file = write_durable_object(tmp_path / "file")
    link = tmp_path / "link"
    link.symlink_to(file)

    with pytest.raises(FileRefusedError, match="link is a symbolic link; name the file itself"):
        events_in(link)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(FileRefusedError, match="pipe is no file"):
        events_in(pipe)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="is no file"):
        events_in(tmp_path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="nowhere: No such file or directory"):
        events_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b\x08\x00", "the file is compressed; unpack it first"),
        (b"PK\x03\x04", "the file is compressed; unpack it first"),
        (b"\0" * 10_000, r"it begins with b'\\x00"),
        (b"id,name\n1,x\n", "it begins with b'id,name"),
        (b"SQLite format 3\0", "damaged, or no database"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(FileRefusedError, match=message):
        events_in(path)
