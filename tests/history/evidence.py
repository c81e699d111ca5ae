"""All that is known about one store, put in the form that the checker's rules ask for."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tests.history.history import Entry, FinalLog, History, PageReceived, Pull, Push, StoreReset

NEVER = float("inf")


class Log:
    """A final log that answers where things are; positions count from 0."""

    def __init__(self, log: FinalLog) -> None:
        self.backend_id = log.backend_id
        self.entries = log.entries
        self._positions = {entry: at for at, entry in reversed(list(enumerate(log.entries)))}
        self._numbers = [entry.seq for entry in log.entries]

    def position(self, entry: Entry) -> int | None:
        """Where exactly this entry is stored (for the first time), if it is."""
        return self._positions.get(entry)

    def end_of(self, entries: Iterable[Entry]) -> int:
        """How far the log is known to someone who saw ``entries``: one past the last of them."""
        return max((self._positions.get(entry, -1) + 1 for entry in entries), default=0)

    def after(self, cursor: int | None) -> int:
        """Position of the first entry after a cursor; None reads from the start."""
        return 0 if cursor is None else bisect_right(self._numbers, cursor)


@dataclass(frozen=True, slots=True)
class Attempts:
    """All pushes of one and the same batch: the first try, and the retries after no answer."""

    batch: tuple[Entry, ...]
    pushes: tuple[Push, ...]
    outcome: Literal["ok", "fail", "info"]
    """What they leave to expect: stored; not stored; either, but whole."""
    invoked_at: float
    """Earliest moment at which the batch can have been stored."""
    acked_at: float
    """Earliest acknowledgement."""
    positions: tuple[int | None, ...]
    """Where each event of the batch is in the log."""

    @property
    def is_absent(self) -> bool:
        return all(position is None for position in self.positions)

    @property
    def is_whole(self) -> bool:
        """Whether the batch is in the log in one piece and in order."""
        first = self.positions[0]
        if first is None:
            return False
        return self.positions == tuple(range(first, first + len(self.positions)))

    def placed(self) -> Iterator[tuple[Entry, int | None]]:
        """Each event with its position."""
        return zip(self.batch, self.positions, strict=True)

    @property
    def op(self) -> int:
        return self.pushes[-1].invoked.op

    def __str__(self) -> str:
        client = self.pushes[0].invoked.client
        size = len(self.batch)
        return f"the push of {size} event(s) {self.batch[0]} to {self.batch[-1]} by {client}"


class Watermarks:
    """What had to be visible when: positions reached, by time."""

    def __init__(self, reached: Iterable[tuple[float, int]]) -> None:
        self._times: list[float] = []
        self._ends: list[int] = []
        for at, end in sorted(reached):
            self._times.append(at)
            self._ends.append(max(end, self._ends[-1] if self._ends else 0))

    def before(self, at: float) -> int:
        """The furthest position reached strictly before ``at``."""
        index = bisect_left(self._times, at)
        return self._ends[index - 1] if index else 0


class Evidence:
    """One store's part of a history, beside its final log.

    A reset starts another history of the store. What clients did before the last one is only
    judged as far as it can be without the log of that time.
    """

    def __init__(self, history: History, log: FinalLog) -> None:
        self.store = log.store
        self.log = Log(log)
        self.pushes = [push for push in history.pushes() if push.invoked.store == log.store]
        self.pulls = [pull for pull in history.pulls() if pull.invoked.store == log.store]
        self.resets: Sequence[StoreReset] = sorted(
            (reset for reset in history.resets() if reset.store == log.store),
            key=lambda reset: reset.invoked_at,
        )

    @cached_property
    def batches(self) -> list[Attempts]:
        """Every batch that was pushed, once."""
        attempts: dict[tuple[Entry, ...], list[Push]] = {}
        for push in self.pushes:
            if push.invoked.batch:
                attempts.setdefault(push.invoked.batch, []).append(push)
        return [self._summary(batch, pushes) for batch, pushes in attempts.items()]

    @cached_property
    def stored_batches(self) -> list[Attempts]:
        """Every batch that is in the log as it should be, in log order."""
        stored = [batch for batch in self.batches if batch.outcome != "fail" and batch.is_whole]
        return sorted(stored, key=lambda batch: batch.positions[0] or 0)

    @cached_property
    def acknowledged(self) -> Watermarks:
        """How far the log was acknowledged, by time."""
        return Watermarks(
            (batch.acked_at, self.log.end_of(batch.batch))
            for batch in self.batches
            if batch.outcome == "ok"
        )

    @cached_property
    def seen(self) -> dict[str, Watermarks]:
        """How far each client had read, by time."""
        reached: dict[str, list[tuple[float, int]]] = {}
        for pull in self.pulls:
            for page in self.current_pages(pull):
                step = (page.at, self.log.end_of(page.entries))
                reached.setdefault(pull.invoked.client, []).append(step)
        return {client: Watermarks(steps) for client, steps in reached.items()}

    def current_pages(self, pull: Pull) -> list[PageReceived]:
        """The pages of a pull that are of the history that the final log shows."""
        return [page for page in pull.pages if page.backend_id == self.log.backend_id]

    def is_current(self, push: Push) -> bool:
        """Whether a push can only have met the history that the final log shows."""
        if not self.resets:
            return True
        known = push.invoked.backend_id
        if known is None:
            return push.invoked.at > self.resets[-1].answered_at
        return known == self.log.backend_id

    def _summary(self, batch: tuple[Entry, ...], pushes: list[Push]) -> Attempts:
        outcomes = {push.invoked.op: self._expected(push) for push in pushes}
        open_pushes = [push for push in pushes if outcomes[push.invoked.op] != "fail"]
        acked = [push.answered_at for push in pushes if outcomes[push.invoked.op] == "ok"]
        return Attempts(
            batch=batch,
            pushes=tuple(pushes),
            outcome="ok" if acked else "info" if open_pushes else "fail",
            invoked_at=min((push.invoked.at for push in open_pushes), default=NEVER),
            acked_at=min(acked, default=NEVER),
            positions=tuple(self.log.position(entry) for entry in batch),
        )

    def _expected(self, push: Push) -> Literal["ok", "fail", "info"]:
        if self.is_current(push):
            return push.outcome
        known = push.invoked.backend_id
        met_the_old = known is not None or push.answered_at < self.resets[-1].invoked_at
        return "fail" if met_the_old or push.outcome == "fail" else "info"
