"""The one kind of WebSocket frame that nearly all traffic is: a whole text message. RFC 6455, 5.2.

What is not that kind is left to a complete implementation.
"""

try:
    from websockets.speedups import apply_mask
except ImportError:  # no wheel for this platform: the library's own slow form
    from websockets.utils import apply_mask

WHOLE_TEXT = 0x81
"""First byte of a text frame that is the first and last of its message, without extensions."""

WHOLE_PING = 0x89
"""First byte of a ping."""

_MASKED = 0x80
_MASK_BYTES = 4
_LENGTH_IN_2 = 126
_LENGTH_IN_8 = 127
_MAX_SHORT = 125
_MAX_IN_2 = 0xFFFF


def find_bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Find where the frame from a client whose first byte is ``data[start]`` has its parts.

    Returns:
        Where its mask starts, and the byte behind its end, which may lie beyond the data. None
        while the part of its head that tells the length is not there.

    Raises:
        ValueError: it has no mask, which every frame of a client must have.
    """
    if len(data) - start < 2:
        return None
    if not data[start + 1] & _MASKED:
        raise ValueError("a frame without a mask")
    length = data[start + 1] & ~_MASKED
    mask = start + 2
    if length >= _LENGTH_IN_2:
        mask += 2 if length == _LENGTH_IN_2 else 8
        if len(data) < mask:
            return None
        length = int.from_bytes(data[start + 2 : mask], "big")
    return mask, mask + _MASK_BYTES + length


def unmask(data: bytes, mask: int, end: int) -> bytes:
    """The payload of a frame that is all there; ``mask`` and ``end`` as from ``find_bounds``."""
    body = mask + _MASK_BYTES
    return apply_mask(data[body:end], data[mask:body])


def text_frame(payload: bytes) -> bytes:
    """A whole text message as a server sends it; ``payload`` is its UTF-8."""
    size = len(payload)
    if size <= _MAX_SHORT:
        head = bytes((WHOLE_TEXT, size))
    elif size <= _MAX_IN_2:
        head = bytes((WHOLE_TEXT, _LENGTH_IN_2)) + size.to_bytes(2, "big")
    else:
        head = bytes((WHOLE_TEXT, _LENGTH_IN_8)) + size.to_bytes(8, "big")
    return head + payload
