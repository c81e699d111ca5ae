"""What reader and writer have in common: numbers of msgpack, and the ids of records."""

from struct import Struct

FIXEXT1 = 0xD4
DEFINITION = 0x72
FIRST_ID = 0x40
LAST_ID = 0x7F

UINT8, UINT16, UINT32 = Struct(">B"), Struct(">H"), Struct(">I")
