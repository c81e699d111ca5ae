"""Cut a JSON array into its messages while it still arrives, so that it is never held whole."""

import re

import msgspec
from msgspec import Raw

from groundwork import strict_json
from groundwork.strict_json import JsonError

# Between two messages. The same characters may stand inside of one, in somebody's args: what comes
# before them is then no whole message, and is looked at again with more behind it.
_BOUNDARY = re.compile(rb'\}\s*(,)\s*(?=\{\s*"_tag"\s*:\s*"(?:Chunk|Exit|Defect|Pong)")')
_MAX_FALSE_BOUNDARIES = 32
_BOUNDARY_MAX_BYTES = 64

_any = msgspec.json.Decoder(Raw)
_array = msgspec.json.Decoder(list[Raw])


class ArraySplitter:
    """Takes the bytes of an array as they come, gives its items as soon as they are whole.

    Args:
        max_bytes: most bytes of one item.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._text = bytearray()
        self._is_open = False
        self._searched = 0
        self._false_boundaries = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The items that ``data`` completes.

        Raises:
            JsonError: it is no array, or an item is too large.
        """
        self._text += data
        if not self._is_open:
            self._open()
        items = list(self._whole_items()) if self._is_open else []
        if len(self._text) > self._max_bytes:
            raise JsonError(f"an item has more than {self._max_bytes} bytes")
        return items

    def finish(self) -> list[bytes]:
        """The items that the end completes.

        Raises:
            JsonError: the array does not end here.
        """
        if not self._is_open:
            raise JsonError("no array")
        try:
            return [bytes(item) for item in strict_json.read(b"[" + self._text, _array)]
        except UnicodeDecodeError:
            raise JsonError("not UTF-8") from None

    def _open(self) -> None:
        text = self._text.lstrip(b" \t\r\n")
        if text and not text.startswith(b"["):
            raise JsonError("no array")
        if text:
            self._text = text[1:]
            self._is_open = True

    def _whole_items(self) -> list[bytes]:
        items = []
        start = 0
        while self._false_boundaries <= _MAX_FALSE_BOUNDARIES and (
            found := _BOUNDARY.search(self._text, max(start, self._searched))
        ):
            self._searched = found.end()
            item = bytes(self._text[start : found.start(1)])
            if _is_json(item):
                items.append(item)
                start, self._false_boundaries = found.end(1), 0
            else:
                self._false_boundaries += 1
        self._searched = max(
            self._searched - start, len(self._text) - start - _BOUNDARY_MAX_BYTES, 0
        )
        del self._text[:start]
        return items


def _is_json(text: bytes) -> bool:
    try:
        strict_json.read(text, _any)
    except ValueError:
        return False
    return True
