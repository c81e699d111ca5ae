"""Hold the events of a file to what a push is held to."""

import re
from datetime import datetime

import msgspec

from groundwork import strict_json
from livesync.protocol.errors import InvalidBatchError
from livesync.protocol.events import MAX_SEQ_NUM, Event, check_text
from livesync.protocol.messages import Limits
from livesync.storage.engine import TimedEvent

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_KNOWN_TEXTS_MAX = 10_000

_any_json = msgspec.json.Decoder(msgspec.Raw)


class UnsoundError(ValueError):
    """An event that cannot be stored; its reader knows where it stands."""


class EventCheck:
    """Takes the events of one file in their order; each is checked against the one before.

    Args:
        limits: of an event's fields.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._good_texts: set[str] = set()
        self._good_time = ""
        self.count = 0
        self.head = 0

    def take_columns(
        self,
        seq_num: object,
        parent_seq_num: object,
        name: object,
        args: object,
        client_id: object,
        session_id: object,
        created_at: object,
    ) -> TimedEvent:
        """``take`` for the columns of a table, which may be of any type.

        Raises:
            UnsoundError: one is of another type, or as in ``take``.
        """
        if not (
            type(seq_num) is type(parent_seq_num) is int
            and type(name) is type(client_id) is type(session_id) is type(created_at) is str
            and (args is None or type(args) is str)
        ):
            raise UnsoundError("a value is of another type than it has to be")
        return self.take(seq_num, parent_seq_num, name, args, client_id, session_id, created_at)

    def take(
        self,
        seq_num: int,
        parent_seq_num: int,
        name: str,
        args: str | None,
        client_id: str,
        session_id: str,
        created_at: str,
        *,
        is_args_json: bool = False,
    ) -> TimedEvent:
        """The next event, found good.

        Args:
            is_args_json: whether somebody has read the args as JSON already.

        Raises:
            UnsoundError: it does not continue the one before, or breaks a limit.
        """
        if parent_seq_num != self.head or not seq_num > parent_seq_num:
            self._refuse_number(seq_num, parent_seq_num)
        if seq_num > MAX_SEQ_NUM:
            raise UnsoundError(f"event {seq_num} is above 2^53 - 1")
        good = self._good_texts
        if name not in good or client_id not in good or session_id not in good:
            self._check_texts(seq_num, name, client_id, session_id)
        if created_at != self._good_time:
            self._check_time(seq_num, created_at)
        if args is not None:
            self._check_args(seq_num, args, is_json=is_args_json)
        self.head = seq_num
        self.count += 1
        return TimedEvent(
            Event(name, args, seq_num, parent_seq_num, client_id, session_id), created_at
        )

    def _refuse_number(self, seq_num: int, parent: int) -> None:
        if seq_num <= 0 or parent < 0:
            raise UnsoundError(f"event {seq_num} with parent {parent}: numbers start at 1")
        if self.count and seq_num == self.head:
            raise UnsoundError(f"event {seq_num} is there twice")
        if seq_num <= self.head:
            raise UnsoundError(f"event {seq_num} follows event {self.head}")
        raise UnsoundError(
            f"event {seq_num} has parent {parent}, but follows "
            + (f"event {self.head}" if self.count else "none")
        )

    def _check_texts(self, seq_num: int, *texts: str) -> None:
        max_bytes = self._limits.field_max_bytes
        try:
            for field, text in zip(("name", "clientId", "sessionId"), texts, strict=True):
                check_text(field, text, max_bytes=max_bytes)
        except InvalidBatchError as error:
            raise UnsoundError(f"event {seq_num}: {_without_prefix(error)}") from None
        if len(self._good_texts) > _KNOWN_TEXTS_MAX:
            self._good_texts.clear()
        self._good_texts.update(texts)

    def _check_time(self, seq_num: int, created_at: str) -> None:
        try:
            if not _TIME.fullmatch(created_at):
                raise ValueError
            datetime.fromisoformat(created_at)
        except ValueError:
            raise UnsoundError(
                f"event {seq_num} was created at {created_at[:40]!r}, which is no time as "
                "2026-01-31T12:00:00.000Z"
            ) from None
        self._good_time = created_at

    def _check_args(self, seq_num: int, args: str, *, is_json: bool) -> None:
        max_depth = self._limits.args_max_depth
        try:
            if not is_json:
                strict_json.read(args, _any_json)
        except (strict_json.JsonError, UnicodeEncodeError):
            raise UnsoundError(f"event {seq_num} has args that are not JSON") from None
        if len(args) > 2 * max_depth and strict_json.is_deeper_than(args, max_depth):
            raise UnsoundError(f"event {seq_num} has args nested more than {max_depth} deep")


def _without_prefix(error: InvalidBatchError) -> str:
    return error.message.removeprefix("invalid batch: ")
