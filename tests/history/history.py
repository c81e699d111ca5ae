"""The history of a run: every invocation and every answer, as clients saw them.

Each record is one line of NDJSON. Times are seconds of the machine's monotonic clock, so that
records of several processes of one machine can be compared.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Literal, Self, TypeVar

import msgspec


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event as far as the checker cares: its own id, its number, its parent's number."""

    id: str
    seq: int
    parent: int

    def __str__(self) -> str:
        return f"{self.id}@{self.seq}"


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A definite error: the tag of the wire's error, ``Die``, or the client's own ``NotSent``."""

    tag: str
    head: int | None = None
    """The store's head according to a ``ServerAheadError``."""
    backend_id: str | None = None
    """The store's backend id according to a ``BackendIdMismatchError``."""
    note: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One line of the history."""


class PushInvoked(Record, frozen=True, kw_only=True, tag="push"):
    """A client sends a batch; ``backend_id`` is what it sends along, if anything."""

    op: int
    at: float
    client: str
    server: str
    store: str
    backend_id: str | None
    batch: tuple[Entry, ...]


class PushAnswered(Record, frozen=True, kw_only=True, tag="pushed", omit_defaults=True):
    """``ok``: acknowledged. ``fail``: refused for good. ``info``: nobody knows."""

    op: int
    at: float
    outcome: Literal["ok", "fail", "info"]
    refusal: Refusal | None = None
    note: str = ""


class PullInvoked(Record, frozen=True, kw_only=True, tag="pull"):
    """A client reads after ``cursor`` (None: from the start), once or live."""

    op: int
    at: float
    client: str
    server: str
    store: str
    live: bool
    cursor: int | None
    backend_id: str | None


class PageReceived(Record, frozen=True, kw_only=True, tag="page"):
    """A chunk arrived; ``last`` means that it said NoMore."""

    op: int
    at: float
    backend_id: str
    entries: tuple[Entry, ...]
    last: bool


class PullEnded(Record, frozen=True, kw_only=True, tag="pulled", omit_defaults=True):
    """How a pull ended.

    ``ok``: the server said it was done. ``fail``: refused. ``cut``: the connection ended.
    ``final``: the run is over, every pusher had stopped and the reader had all the time it
    wanted, so a live pull must be complete.
    """

    op: int
    at: float
    outcome: Literal["ok", "fail", "cut", "final"]
    refusal: Refusal | None = None
    note: str = ""


class StoreReset(Record, frozen=True, kw_only=True, tag="reset"):
    """Somebody emptied the store on purpose and gave it a new backend id."""

    store: str
    invoked_at: float
    answered_at: float
    backend_id: str


class FinalLog(Record, frozen=True, kw_only=True, tag="log"):
    """All that the store holds when the run is over, oldest first."""

    store: str
    backend_id: str
    entries: tuple[Entry, ...]


AnyRecord = (
    PushInvoked | PushAnswered | PullInvoked | PageReceived | PullEnded | StoreReset | FinalLog
)

R = TypeVar("R", bound=Record)

_DECODER: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Push:
    """An invocation with its answer; None when the history ends before it came."""

    invoked: PushInvoked
    answered: PushAnswered | None

    @property
    def outcome(self) -> Literal["ok", "fail", "info"]:
        return self.answered.outcome if self.answered else "info"

    @property
    def refusal(self) -> Refusal | None:
        return self.answered.refusal if self.answered else None

    @property
    def answered_at(self) -> float:
        """When the client knew; never, for a push without an answer."""
        known = self.answered is not None and self.answered.outcome != "info"
        return self.answered.at if self.answered and known else float("inf")


@dataclass(frozen=True, slots=True)
class Pull:
    """An invocation with all that came for it."""

    invoked: PullInvoked
    pages: tuple[PageReceived, ...]
    ended: PullEnded | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for page in self.pages for entry in page.entries)

    @property
    def outcome(self) -> Literal["ok", "fail", "cut", "final"]:
        return self.ended.outcome if self.ended else "cut"


class History:
    """Records, and the operations that they make up."""

    def __init__(self, records: Iterable[AnyRecord] = ()) -> None:
        self.records: list[AnyRecord] = list(records)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that ``dump`` or a ``Recorder`` wrote."""
        return cls(_DECODER.decode(line) for line in path.read_bytes().splitlines())

    def dump(self, path: Path) -> None:
        """Write one record a line."""
        path.write_bytes(_ENCODER.encode_lines(self.records))

    def pushes(self) -> list[Push]:
        """All pushes, in order of invocation."""
        answers = {record.op: record for record in self._all(PushAnswered)}
        return [Push(record, answers.get(record.op)) for record in self._all(PushInvoked)]

    def pulls(self) -> list[Pull]:
        """All pulls, live ones included, in order of invocation."""
        ends = {record.op: record for record in self._all(PullEnded)}
        pages: dict[int, list[PageReceived]] = {}
        for page in self._all(PageReceived):
            pages.setdefault(page.op, []).append(page)
        return [
            Pull(record, tuple(pages.get(record.op, ())), ends.get(record.op))
            for record in self._all(PullInvoked)
        ]

    def resets(self) -> list[StoreReset]:
        return self._all(StoreReset)

    def logs(self) -> list[FinalLog]:
        """The final logs, when the run wrote them down too."""
        return self._all(FinalLog)

    def _all(self, kind: type[R]) -> list[R]:
        return [record for record in self.records if isinstance(record, kind)]


class Recorder:
    """Writes a history while it happens: in memory and, with ``path``, to a file at once."""

    def __init__(self, path: Path | None = None) -> None:
        self.history = History()
        self._numbers = count(1)
        self._file: IO[bytes] | None = path.open("wb") if path else None

    def next_op(self) -> int:
        """A number for one more operation."""
        return next(self._numbers)

    def now(self) -> float:
        return time.monotonic()

    def write(self, *records: AnyRecord) -> None:
        self.history.records.extend(records)
        if self._file:
            self._file.write(_ENCODER.encode_lines(records))

    def close(self) -> None:
        if self._file:
            self._file.close()
