"""The text of a file, read as it is needed."""

import codecs
from typing import BinaryIO

from livesync.moving.errors import FileRefusedError

CHUNK_BYTES = 1 << 20
MAX_ITEM_CHARS = 8_000_000
"""Longest event in a text file, and longest statement; Cloudflare keeps rows of 2 MB at most."""


class TextFile:
    """Strict UTF-8 in pieces: what lies before ``position`` is forgotten when more is read.

    Attributes:
        buffer: what has been read and is not forgotten.
        position: where in it the reader stands.
        is_ended: whether the buffer reaches to the end of the file.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.buffer = ""
        self.position = 0
        self.is_ended = False
        self._file = file
        self._size = size
        self._bytes_read = 0
        self._lines_before = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def more(self) -> bool:
        """Read on; False if there is nothing more.

        Raises:
            FileRefusedError: the file is not UTF-8, or what the reader stands at is too long.
        """
        if self.is_ended:
            return False
        self._lines_before += self.buffer.count("\n", 0, self.position)
        rest = self.buffer[self.position :]
        self.buffer, self.position = rest, 0
        if len(rest) > MAX_ITEM_CHARS:
            raise self.refused(
                f"what begins here is longer than {MAX_ITEM_CHARS:,} characters: it has no end, "
                "or is no event"
            )
        # as much again as is there: a long item is looked at a few times, not a thousand
        self.buffer += self._read(max(CHUNK_BYTES, len(rest)))
        return True

    def line(self, position: int | None = None) -> int:
        """The number of a line, counted from 1; of the one the reader stands at unless told."""
        position = self.position if position is None else position
        return 1 + self._lines_before + self.buffer.count("\n", 0, position)

    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return min(1.0, self._bytes_read / self._size) if self._size else 1.0

    def refused(self, message: str, position: int | None = None) -> FileRefusedError:
        """The error for what stands at a position; where the reader stands unless told."""
        return FileRefusedError(message, place=f"line {self.line(position)}")

    def _read(self, size: int) -> str:
        data = self._file.read(size)
        self.is_ended = not data
        self._bytes_read += len(data)
        try:
            return self._decoder.decode(data, final=self.is_ended)
        except UnicodeDecodeError as error:
            good = data[: error.start].decode(errors="replace")
            self.buffer += good
            raise self.refused("not UTF-8", len(self.buffer)) from None
