"""The WebSocket that bots keep open."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import TypeGuard, cast

from chatstate.conf import get_settings
from chatstate.metrics import SOCKETS
from chatstate.protocol import messages
from chatstate.protocol.errors import (
    BusyError,
    ChatstateError,
    ForbiddenError,
    InternalError,
    MalformedError,
    UnauthorizedError,
    UnavailableError,
)
from chatstate.protocol.messages import Refused
from chatstate.protocol.operations import GetList, Operation
from chatstate.services.execute import start
from chatstate.services.long_lists import in_parts, read_on
from chatstate.services.threads import get_readers
from chatstate.services.tokens import Principal, find_principal, is_live
from chatstate.storage.jobs import Result
from chatstate.storage.steps import Piece
from groundwork.frames import INTERNAL, POLICY, TRY_LATER, FrameConsumer

logger = logging.getLogger(__name__)

_FRAME_CHARS = 900_000
"""Answers go out in frames of about this size, as far as each is smaller itself."""
_FRAME_OVERHEAD_CHARS = 100
"""Of a frame that waits, besides its text."""
_UNSENT_MAX_CHARS = 16_000_000
"""Above this much unsent, a socket's operations are refused as ``busy``."""
_OPEN_MAX_CHARS = 16_000_000
"""The same for frames with operations that wait: a value keeps the whole of its frame in memory."""


class StateConsumer(FrameConsumer):
    """One bot's connection. It carries frames; ``services.execute`` carries out what they ask."""

    async def open(self) -> bool:
        settings = get_settings()
        self.max_frame_bytes = settings.frame_max_bytes
        self.idle_timeout_s = settings.idle_timeout_s
        self._principal: Principal | None = None
        self._early: list[str] | None = None  # frames behind the first, until it is answered
        self._early_chars = 0
        self._open_operations = 0
        self._open_chars = 0
        self._unsent_chars = 0
        self._checked_at = self.last_frame_at
        await self.accept()
        SOCKETS.inc()
        return True

    def closed(self) -> None:
        SOCKETS.dec()

    def receive_frame(self, text: str) -> None:
        if self._principal is not None:
            self._receive_operations(text, self._principal)
        elif self._early is None:
            self._early = []
            self.spawn(self._greet(text))
        else:
            self._early.append(text)
            self._early_chars += len(text) + _FRAME_OVERHEAD_CHARS
            if self._early_chars > self.max_frame_bytes:
                self.close(POLICY)

    def receive_undecodable(self, reason: str) -> None:
        self.send_now(messages.failure(MalformedError(f"not a frame: {reason}")))

    def sweep(self, now: float) -> None:
        settings = get_settings()
        if self._principal is None:
            if now - self._checked_at > settings.hello_timeout_s:
                self.close(POLICY)
        elif now - self._checked_at > settings.token_recheck_s:
            self._checked_at = now
            self.spawn(self._recheck(self._principal))
        super().sweep(now)

    def drain(self, *, is_last_call: bool) -> None:
        """Let what is under way be answered first."""
        if is_last_call or not (self._open_operations or self._unsent_chars):
            super().drain(is_last_call=is_last_call)

    async def _greet(self, text: str) -> None:
        try:
            token = messages.read_hello(text)
            principal = await get_readers().run(find_principal, token)
            if principal is None:
                raise UnauthorizedError
        except UnavailableError as error:
            self.send_last(messages.failure(error), TRY_LATER)
            return
        except ChatstateError as error:
            self.send_last(messages.failure(error), POLICY)
            return
        except Exception:
            logger.exception("a token cannot be looked up")
            self.send_last(messages.failure(InternalError()), INTERNAL)
            return
        settings = get_settings()
        self.send_now(
            messages.greeting(
                namespace=principal.namespace,
                rights=principal.rights,
                maxFrameBytes=settings.frame_max_bytes,
                maxOperations=settings.operations_per_frame,
                answersKeptMs=settings.answers_kept_ms,
            )
        )
        self._principal = principal
        early, self._early = self._early or [], []
        for frame in early:
            self._receive_operations(frame, principal)

    async def _recheck(self, principal: Principal) -> None:
        try:
            if await get_readers().run(is_live, principal.token_id):
                return
        except UnavailableError:
            return  # an operation will tell
        self.send_last(messages.failure(UnauthorizedError()), POLICY)

    def _receive_operations(self, text: str, principal: Principal) -> None:
        try:
            found = messages.read_operations(
                text, max_operations=get_settings().operations_per_frame
            )
        except ChatstateError as error:
            self.send_now(messages.failure(error))
            return
        wanted = found if self._takes_all(found, principal) else self._refuse_some(found, principal)
        if wanted:
            self._open_operations += len(wanted)
            self._open_chars += len(text)
            start(principal.namespace, wanted, partial(self._settle, wanted, len(text)))

    def _takes_all(
        self, found: list[Operation | Refused], principal: Principal
    ) -> TypeGuard[list[Operation]]:
        # nearly always: to ask it of all together takes a fraction of what it takes of each
        return (
            Refused not in map(type, found)
            and {item.right for item in cast(list[Operation], found)}.issubset(principal.rights)
            and not self._is_full(len(found) - 1)
            and bool(found)
        )

    def _refuse_some(
        self, found: Sequence[Operation | Refused], principal: Principal
    ) -> list[Operation]:
        wanted: list[Operation] = []
        answers: list[str] = []
        for item in found:
            refused = self._refusal(item, principal, len(wanted))
            if refused is not None:
                answers.append(messages.refusal(item.id, refused))
            elif isinstance(item, Operation):
                wanted.append(item)
        if answers or not found:
            self.send_now(messages.frame(answers))
        return wanted

    def _refusal(
        self, item: Operation | Refused, principal: Principal, others: int
    ) -> ChatstateError | None:
        if isinstance(item, Refused):
            return item.error
        if item.right not in principal.rights:
            return ForbiddenError(item.right)
        return BusyError() if self._is_full(others) else None

    def _is_full(self, others: int) -> bool:
        return (
            self._open_operations + others >= get_settings().operations_per_socket
            or self._open_chars > _OPEN_MAX_CHARS
            or self._unsent_chars > _UNSENT_MAX_CHARS
        )

    def _settle(
        self, operations: Sequence[Operation], frame_chars: int, results: Sequence[Result]
    ) -> None:
        self._open_operations -= len(operations)
        self._open_chars -= frame_chars
        if not self.is_closed:
            self._answer(operations, results)

    def _answer(self, operations: Sequence[Operation], results: Sequence[Result]) -> None:
        answers: list[str] = []
        size = 0
        for operation, result in zip(operations, results, strict=True):
            if isinstance(result, str):
                text = messages.answer(operation.id, result)
            elif isinstance(result, Piece):
                if result.end_number is not None or _chars_of(result) > _FRAME_CHARS:
                    self._unsent_chars += _chars_of(result)
                    self.spawn(self._send_list(operation, result))
                    continue
                text = messages.list_piece(operation.id, result.items, more=False)
            else:
                text = messages.refusal(operation.id, result)
            if answers and size + len(text) > _FRAME_CHARS:
                self._send_answers(answers, size)
                answers, size = [], 0
            answers.append(text)
            size += len(text)
        if answers:
            self._send_answers(answers, size)

    def _send_answers(self, answers: Sequence[str], size: int) -> None:
        if self.is_writable:
            self.send_now(messages.frame(answers))
        else:
            self._unsent_chars += size
            self.spawn(self._send_later(messages.frame(answers), size))

    async def _send_later(self, text: str, size: int) -> None:
        await self.wait_until_writable()
        self._unsent_chars -= size
        self.send_now(text)

    async def _send_list(self, operation: Operation, first: Piece) -> None:
        assert isinstance(operation, GetList)
        assert self._principal is not None
        try:
            async for piece in read_on(self._principal.namespace, operation, first):
                if piece is not first:
                    self._unsent_chars += _chars_of(piece)
                await self._send_piece(operation, piece)
                self._unsent_chars -= _chars_of(piece)
        except ChatstateError as error:
            self.send_now(messages.frame([messages.refusal(operation.id, error)]))

    async def _send_piece(self, operation: Operation, piece: Piece) -> None:
        parts = list(in_parts(piece.items, max_chars=_FRAME_CHARS))
        for number, items in enumerate(parts, 1):
            more = piece.end_number is not None or number < len(parts)
            await self.wait_until_writable()
            self.send_now(messages.frame([messages.list_piece(operation.id, items, more=more)]))


def _chars_of(piece: Piece) -> int:
    return sum(map(len, piece.items))
