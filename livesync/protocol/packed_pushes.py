"""A push as it comes by RPC: its events are read straight from msgpack and records.

Everything else goes by way of JSON text, what stands around the batch included, and so does a batch
that is not of the usual form: records of an event's own members, in the order in which LiveStore's
client writes them. An event whose args are a known record of strings, integers and the like is a
run of tokens, and msgspec reads those in one call.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, repeat
from json.encoder import encode_basestring as quote
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from livesync.protocol.events import MAX_SEQ_NUM, Event
from livesync.protocol.records import RecordsError, to_json
from livesync.protocol.records.form import FIRST_ID, FIXEXT1, LAST_ID
from livesync.protocol.records.reading import Reader
from livesync.protocol.records.writing import array_head

_BATCH = ',"batch":'
_BATCH_DEPTH = 3  # in the payload of a request
_MEMBERS = ("name", "args", "seqNum", "parentSeqNum", "clientId", "sessionId")
_EVENT = tuple(f',"{member}":' for member in _MEMBERS)
_EVENT_MAX_CHARS = sum(map(len, _EVENT)) + len("{},") + 2 * len(str(MAX_SEQ_NUM))
_TEXTS = 3  # in an event, besides its args
_BYTE_MAX_CHARS = len(r"\u0000")
_TOKENS = 5  # of a piece, besides the values of its args: two ids, the name, two numbers
_SHORT_MAX_BYTES = 31
_CONSTANTS = {None: "null", False: "false", True: "true"}
_UNDEFINED = b"\xd4\x00"

_get_args: Callable[[Event], str] = attrgetter("args")
_decode = msgspec.msgpack.Decoder(list[str | int | bool | None]).decode


class Unpacked(NamedTuple):
    """A message as JSON text; if there is a ``batch``, its events, and the text has ``[]`` for it.

    They are what their JSON would have given, with nothing about them checked.
    """

    text: str
    batch: list[Event] | None = None


def unpack(data: bytes, *, max_chars: int, max_depth: int) -> Unpacked:
    """Read an encoded message; the bounds are those of ``records.to_json``.

    Raises:
        RecordsError: it is something else, or breaks a limit.
    """
    reader = _PushReader(data, max_chars, max_depth)
    try:
        text = reader.read()
        if not reader.has_batch:
            return Unpacked(text)
        # of two batches the last counts; which one was read is not known here
        if text.count(_BATCH[1:]) == 1 and len(text) + reader.batch_max_chars <= max_chars:
            return Unpacked(text, reader.batch)
    except (_UnusualError, UnicodeDecodeError):
        pass
    except RecordsError:
        if not reader.has_batch:
            raise
    return Unpacked(to_json(data, max_chars=max_chars, max_depth=max_depth))


class _UnusualError(Exception):
    """Only the general way can tell what this is."""


class _Form(NamedTuple):
    """Of an event with args of one record: the head of an array of its tokens; the args' JSON."""

    head: bytes
    args: str


class _PushReader(Reader):
    __slots__ = ("_forms", "_longest", "batch", "batch_max_chars", "has_batch")

    def __init__(self, data: bytes, max_chars: int, max_depth: int) -> None:
        super().__init__(data, max_chars, max_depth)
        self._forms: dict[int, _Form] = {}
        self._longest = _SHORT_MAX_BYTES
        self.batch: list[Event] = []
        self.batch_max_chars = 0
        self.has_batch = False

    def _open_array(self, length: int) -> None:
        super()._open_array(length)
        if len(self._open) == _BATCH_DEPTH + 1 and self._texts[-2] == _BATCH and length:
            self.has_batch = True
            self._open_map(0)  # args are as deep as ever
            self._read_events(length)
            del self._open[-2:], self._texts[-2:]
            self._texts.append("[]")

    def _define(self) -> int:
        self._forms.clear()  # a record has got another meaning
        return super()._define()

    def _read_events(self, count: int) -> None:
        first, end = self._read_event()
        # the events of a batch end alike: with the ids of who made them
        *pieces, _ = self._data[self._at :].split(end, count - 1)
        self.batch.append(first)
        for head, group in groupby(pieces, _head_of):
            run = list(group)
            self.batch += self._read_run(head, run, first, end) or self._read_each(run, end)
        if len(self.batch) != count:
            raise _UnusualError
        event_max_chars = _EVENT_MAX_CHARS + _TEXTS * _BYTE_MAX_CHARS * self._longest
        self.batch_max_chars = sum(map(len, map(_get_args, self.batch)))
        self.batch_max_chars += count * event_max_chars

    def _read_run(
        self, head: bytes, run: list[bytes], like: Event, end: bytes
    ) -> Sequence[Event] | None:
        """Events of one name, with args of one record; None if one holds more than plain values."""
        if not self._is_event(head[0]) or not 0xA0 <= head[1] <= 0xBF:
            return None
        try:
            form = self._forms.get(head[-1]) or self._form(head[-1])
            self._room -= len(run) * len(form.args)  # what is too large is refused unmade
            if self._room < 0:
                return None
            tokens = [_decode(form.head + piece) for piece in run]
            _, names, _, *values, seq_nums, parents = zip(*tokens, strict=True)
            texts = zip(*map(_json_of, values), strict=True) if values else repeat(())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _UnusualError):
            return None
        if not (_are_numbers(seq_nums) and _are_numbers(parents)):
            return None
        self._at += sum(map(len, run)) + len(run) * len(end)
        args = map(form.args.__mod__, texts)
        makers = repeat(like.client_id), repeat(like.session_id)
        return list(map(Event, names, args, seq_nums, parents, *makers))

    def _read_each(self, run: list[bytes], end: bytes) -> Iterator[Event]:
        for piece in run:
            behind = self._at + len(piece) + len(end)
            yield self._read_event()[0]
            if self._at != behind:
                raise _UnusualError  # somewhere in it was what looks like an end

    def _form(self, args_id: int) -> _Form:
        if args_id not in self._records:
            raise _UnusualError
        prefixes = self._records[args_id].prefixes
        head = bytes(array_head(len(prefixes) + _TOKENS))
        members = "".join(f"{prefix.replace('%', '%%')}%s" for prefix in prefixes)
        self._forms[args_id] = form = _Form(head, f"{{{members[1:]}}}")
        return form

    def _read_event(self) -> tuple[Event, bytes]:
        """The next event, whatever its args are, and the bytes of its end."""
        self._open_event()
        name, args = self._read_text(), self._read_args()
        seq_num, parent = self._read_number(), self._read_number()
        start = self._at
        client_id, session_id = self._read_text(), self._read_text()
        event = Event(name, args, seq_num, parent, client_id, session_id)
        return event, self._data[start : self._at]

    def _open_event(self) -> None:
        token = self._data[self._at]
        self._at += 1
        if token == FIXEXT1:
            token = self._define()
        if not self._is_event(token):
            raise _UnusualError

    def _is_event(self, record_id: int) -> bool:
        return record_id in self._records and self._records[record_id].prefixes == _EVENT

    def _read_args(self) -> str:
        if self._data.startswith(_UNDEFINED, self._at):
            raise _UnusualError  # they are absent
        first, depth = len(self._texts), len(self._open)
        self._value()
        if len(self._open) > depth:
            self._items(depth)
        args = "".join(self._texts[first:])
        del self._texts[first:]
        return args

    def _read_text(self) -> str:
        token = self._data[self._at]
        if 0xA0 <= token <= 0xBF:
            start, length = self._at + 1, token - 0xA0
        elif token == 0xD9:
            start, length = self._at + 2, self._data[self._at + 1]
        else:
            raise _UnusualError
        self._at = start + length
        self._longest = max(self._longest, length)
        return self._data[start : self._at].decode()

    def _read_number(self) -> int:
        token = self._data[self._at]
        start = self._at = self._at + 1
        if 0xCC <= token <= 0xCE:
            self._at = start + (1 << token - 0xCC)
            return int.from_bytes(self._data[start : self._at])
        if token <= LAST_ID and token not in self._records:
            return token
        raise _UnusualError


def _head_of(piece: bytes) -> bytes:
    """The id of the event's record, a name of up to 31 bytes, and the id of the args' record."""
    return piece[: piece[1] - 0x9D]


def _json_of(values: Sequence[Any]) -> Iterable[str]:
    if set(map(type, values)) == {str}:
        return map(quote, values)
    return [quote(value) if type(value) is str else _scalar(value) for value in values]


def _scalar(value: Any) -> str:
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    if type(value) is int and abs(value) <= MAX_SEQ_NUM and not FIRST_ID <= value <= LAST_ID:
        return str(value)
    raise _UnusualError


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether they are integers; one of up to 127 might be the id of a record as well."""
    return set(map(type, values)) == {int} and min(values) > LAST_ID and max(values) <= MAX_SEQ_NUM
