"""A file that is there whole, or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundwork.durable_files import sync_directory, sync_file
from livesync.moving.errors import FileRefusedError


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a path to write to; what is there at the end appears under ``path`` at once.

    The file is on disk when it appears, and only its owner may read it. After an error nothing is
    left behind.

    Args:
        path: where the file is to be.
        overwrite: whether it may take the place of another one.

    Raises:
        FileRefusedError: there is one already, or the directory takes none.
    """
    _check_free(path, overwrite=overwrite)
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise FileRefusedError(f"{path.parent} takes no file: {error.strerror}") from None
    os.close(number)
    unfinished = Path(name)
    try:
        yield unfinished
        sync_file(unfinished)
        _check_free(path, overwrite=overwrite)
        unfinished.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise FileRefusedError(f"{path.name} cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _check_free(path: Path, *, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        raise FileRefusedError(
            f"{path.name} is there already; --force puts the new one in its place"
        )
    if path.is_dir():
        raise FileRefusedError(f"{path.name} is a directory")
    if path.exists() and not path.is_file():
        # were it /dev/null, every program would write to a file from then on
        raise FileRefusedError(f"{path.name} is no file")
