"""The services themselves, in the process of the tests."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from msgspec import Raw

from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.operations import OPERATIONS, GetMore, Operation
from chatstate.services.execute import execute
from chatstate.storage.steps import Piece
from tests.chat_conformance.subjects.databases import services_on
from tests.chat_conformance.subjects.operations import Json, Members, OperationSubject
from tests.chat_conformance.subjects.subject import CallFailedError, Place, Subject

_CAPITAL = re.compile("[A-Z]")


class ServicesSubject(OperationSubject):
    """Hands operations to ``execute``."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    async def connect(self) -> None:
        """There is nothing to connect to."""

    async def ask(self, op: str, members: Members) -> str:
        named = {_python_name(name): _python_value(value) for name, value in members.items()}
        result = await self._execute(OPERATIONS[op](**named))
        return await self._whole_list(members["key"], result) if op == "getList" else str(result)

    async def _whole_list(self, key: str, piece: Any) -> str:
        items = list(piece.items)
        while piece.end_number is not None:
            more = GetMore(key=key, after=piece.last_number, end=piece.end_number)
            piece = await self._execute(more)
            items += piece.items
        return f"[{','.join(items)}]"

    async def _execute(self, operation: Operation) -> "str | Piece":
        (result,) = await execute(self._namespace, [operation])
        if isinstance(result, ChatstateError):
            raise CallFailedError(
                str(result), kind=type(result).__name__, code=result.code, field=result.field
            )
        return result


class ServicesPlace(Place):
    """Services of this process, on whatever database they stand."""

    async def make(self, namespace: str, *, port: int | None = None) -> ServicesSubject:
        return ServicesSubject(namespace)

    async def forget(self, subject: Subject) -> None:
        """Nothing was opened."""


def open_services(
    engine: str,
) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Place]]:
    """Services on a database of the engine: ``sqlite`` or ``postgresql``."""

    @asynccontextmanager
    async def open_place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
        async with services_on(engine, request):
            yield ServicesPlace()

    return open_place


def _python_name(name: str) -> str:
    return _CAPITAL.sub(lambda letter: f"_{letter[0].lower()}", name)


def _python_value(value: Any) -> Any:
    return Raw(value.text.encode()) if isinstance(value, Json) else value
