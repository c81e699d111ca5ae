"""msgpack with msgpackr's records, the form of RPC messages, and the JSON that they stand for.

A record is an object whose keys are written once: ``d4 72 <id>``, an array of the keys, then the
values in that order. Later objects of the same keys are just the byte ``<id>`` (0x40 to 0x7f) and
their values. So a writer that knows records writes the integers 64 to 127 in two bytes; a plain
msgpack writer writes one, and such a byte is that integer as long as no record has it for its id.

Both directions go by way of JSON text, which is what events are kept as and what the other
transports speak; ``packed_pushes`` and ``packed_pages`` know a shorter way to the same. Values of
JavaScript become what ``JSON.stringify`` makes of them:

===================================  ===============================================================
msgpack                              JSON
===================================  ===============================================================
a record, or a map with string keys  an object
``undefined``                        a member that is absent; elsewhere null
NaN, infinite                        null
an integer beyond 2^53 - 1           refused: it is a BigInt in JavaScript
a float without a fraction           an integer, up to 2^53 - 1
a lone surrogate in a string         its escape, as in ``"\\ud83d"``
binary data, dates, other types      refused
===================================  ===============================================================

Source: npm ``msgpackr`` 1.12, ``pack.js`` and ``unpack.js``, as ``@effect/rpc`` 0.75.1 uses it.
"""

from livesync.protocol.records.reading import RecordsError, to_json
from livesync.protocol.records.writing import Writer, encode, from_json, integer

__all__ = ["RecordsError", "Writer", "encode", "from_json", "integer", "to_json"]
