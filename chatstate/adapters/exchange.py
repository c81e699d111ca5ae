"""Operations that have no answer yet: what to send, and what became of each.

No socket, no task, no clock of its own: what comes in is handed in, what is to be sent is asked
for. An operation keeps its id and its request id however often it is sent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec
from msgspec import Raw

from chatstate.adapters import frames
from chatstate.adapters.backoff import REFUSED, REPEAT_FOR_S
from chatstate.adapters.frames import Answer, Welcome
from chatstate.adapters.transport import NoAnswerError, Reply
from chatstate.protocol.errors import BusyError, ChatstateError, PassingError, TooLargeError
from chatstate.protocol.operations import Operation, name_of

FRAME_MAX_BYTES = 1_000_000
"""A new frame is begun before this; leaves room below the server's own limit."""

IN_FLIGHT_MAX = 5_000
"""Most operations that wait at the server, which refuses more than 10,000."""

PENDING_MAX_BYTES = 64 * 1024 * 1024
"""Most bytes of operations without an answer; more are refused, so that memory is bounded."""

UNSENT_FOR_S = 30.0
"""How long an operation may wait for its first sending while the server cannot be reached."""


class Clock(NamedTuple):
    """Time as the client sees it.

    Attributes:
        monotonic: in seconds; only grows.
        wall_ms: epoch milliseconds.
    """

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]


class Done(NamedTuple):
    """What an operation came to."""

    id: int
    outcome: Reply | ChatstateError


class Exchange:
    """The operations of one client.

    Args:
        clock: tells the time.
        random: gives numbers from 0 to 1.
    """

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._calls: dict[int, _Call] = {}  # in the order in which they came
        self._outgoing: list[_Call] = []
        self._limits: Welcome | None = None
        self._in_flight = 0
        self._pending_bytes = 0
        self._next_id = 0
        self.trouble = ""
        """Why the server cannot be reached, for people."""

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def can_send(self) -> bool:
        """Whether ``take_frames`` has something to give."""
        return self._limits is not None and bool(self._outgoing) and self._in_flight < IN_FLIGHT_MAX

    def add(self, operation: Operation, *, timeout_s: float | None = None) -> int:
        """Take an operation on.

        Args:
            operation: its ``id`` is replaced.
            timeout_s: how long all may take; None: as long as the protocol lets clients repeat.

        Returns:
            The id under which it will be done.

        Raises:
            BusyError: too much waits already.
        """
        call_id = self._next_id
        text = frames.write(msgspec.structs.replace(operation, id=call_id))
        if self._calls and self._pending_bytes + len(text) > PENDING_MAX_BYTES:
            raise BusyError
        now = self._clock.monotonic()
        deadline = now + (UNSENT_FOR_S if timeout_s is None else timeout_s)
        call = _Call(call_id, operation, text, deadline, timeout_s is not None)
        self._next_id += 1
        self._calls[call_id] = call
        self._pending_bytes += len(text)
        self._outgoing.append(call)
        return call_id

    def abandon(self, call_id: int) -> None:
        """Nobody waits for the operation any more: if it was not sent yet, it will not be."""
        call = self._calls.get(call_id)
        if call is not None and call.sent_at_ms is None:
            self._forget(call)

    def linked(self, limits: Welcome) -> None:
        """There is a link to the server now."""
        self._limits = limits

    def lost(self, why: str) -> None:
        """The link is gone: what was sent on it is to be sent again, in its order."""
        self._limits = None
        self.trouble = why
        self._in_flight = 0
        self._outgoing = [call for call in self._calls.values() if call.state is not _State.RESTING]
        for call in self._outgoing:
            call.state = _State.WAITING
            call.items.clear()

    def take_frames(self) -> tuple[list[bytes], list[Done]]:
        """The frames to send now, in order, whose operations count as sent.

        And those that are done because no frame can hold them: sent, they would end the link, for
        all others too.
        """
        if self._limits is None:
            return [], []
        most_bytes = min(FRAME_MAX_BYTES, self._limits.max_frame_bytes)
        ready: list[bytes] = []
        done: list[Done] = []
        texts: list[bytes] = []
        size = 1
        for call in self._take_outgoing():
            if len(call.text) + 2 > self._limits.max_frame_bytes:
                done.append(self._done(call, _too_large(call, self._limits)))
                continue
            is_full = (
                size + len(call.text) >= most_bytes or len(texts) == self._limits.max_operations
            )
            if is_full and texts:
                ready.append(frames.frame(texts))
                texts, size = [], 1
            texts.append(call.text)
            size += len(call.text) + 1
            self._mark_sent(call)
        if texts:
            ready.append(frames.frame(texts))
        return ready, done

    def receive(self, answers: Sequence[Answer]) -> list[Done]:
        """Take answers; one to an operation that was given up is dropped."""
        done: list[Done] = []
        for answer in answers:
            call = self._calls.get(answer.id)
            if call is None or call.state is not _State.SENT:
                continue
            if answer.error is not None:
                done += self._refused(call, answer.error)
            elif answer.items is None:
                done.append(self._answered(call, _text(answer.value)))
            else:
                call.items += answer.items
                if not answer.more:
                    done.append(self._answered(call, f"[{','.join(map(_text, call.items))}]"))
        return done

    def sweep(self) -> list[Done]:
        """Look after the time: what has rested is to be sent again, what is overdue is done."""
        now = self._clock.monotonic()
        done: list[Done] = []
        for call in list(self._calls.values()):
            if call.deadline <= now:
                outcome = call.refused_with or NoAnswerError(name_of(call.operation), self._why())
                done.append(self._done(call, outcome))
            elif call.state is _State.RESTING and call.rests_until <= now:
                call.state = _State.WAITING
                self._outgoing.append(call)
        return done

    def _why(self) -> str:
        return "" if self._limits is not None else self.trouble

    def _take_outgoing(self) -> "Iterator[_Call]":
        outgoing, self._outgoing = self._outgoing, []
        for number, call in enumerate(outgoing):
            if self._in_flight >= IN_FLIGHT_MAX:
                self._outgoing = outgoing[number:]
                return
            if call.id in self._calls:  # else its time was up
                yield call

    def _mark_sent(self, call: "_Call") -> None:
        call.state = _State.SENT
        self._in_flight += 1
        if call.sent_at_ms is None:
            call.sent_at_ms = self._clock.wall_ms()
            if not call.has_own_timeout:
                call.deadline = self._clock.monotonic() + REPEAT_FOR_S

    def _refused(self, call: "_Call", error: ChatstateError) -> list[Done]:
        now = self._clock.monotonic()
        rests_until = now + REFUSED.pause_s(call.attempts, self._random)
        if not isinstance(error, PassingError) or rests_until >= call.deadline:
            return [self._done(call, error)]
        self._in_flight -= 1
        call.state = _State.RESTING
        call.attempts += 1
        call.rests_until = rests_until
        call.refused_with = error
        call.items.clear()
        return []

    def _answered(self, call: "_Call", text: str) -> Done:
        assert call.sent_at_ms is not None
        return self._done(call, Reply(text, call.sent_at_ms))

    def _done(self, call: "_Call", outcome: Reply | ChatstateError) -> Done:
        self._forget(call)
        return Done(call.id, outcome)

    def _forget(self, call: "_Call") -> None:
        del self._calls[call.id]
        self._pending_bytes -= len(call.text)
        if call.state is _State.SENT:
            self._in_flight -= 1


class _State(Enum):
    WAITING = "to be sent"
    SENT = "at the server"
    RESTING = "refused for the moment"


@dataclass(slots=True, eq=False)
class _Call:
    id: int
    operation: Operation
    text: bytes
    deadline: float
    has_own_timeout: bool
    state: _State = _State.WAITING
    sent_at_ms: int | None = None
    attempts: int = 0
    rests_until: float = 0.0
    refused_with: ChatstateError | None = None
    items: list[Raw] = field(default_factory=list)


def _text(value: Raw) -> str:
    return str(value, "utf-8")


def _too_large(call: _Call, limits: Welcome) -> TooLargeError:
    field = _largest_member(call.operation)
    what = f"{name_of(call.operation)} with its {field}"
    return TooLargeError(what, limit=limits.max_frame_bytes, unit="bytes", field=field)


def _largest_member(operation: Operation) -> str:
    def size(name: str) -> int:
        value = getattr(operation, name)
        return len(bytes(value) if isinstance(value, Raw) else str(value))

    return max(msgspec.structs.fields(operation), key=lambda field: size(field.name)).encode_name
