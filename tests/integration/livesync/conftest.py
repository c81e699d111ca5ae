"""A store behind the services, as its clients see it."""

from collections.abc import Sequence
from typing import Any

import pytest

from livesync.protocol.events import Event
from livesync.services.push import start_push
from livesync.storage import get_engine, get_readers
from livesync.storage.engine import Appended
from tests import storage


class Store:
    """One store; ``push`` goes the way of every client's push, past no check."""

    def __init__(self, store_id: str) -> None:
        self.id = store_id

    async def push(self, batch: Sequence[Event], *, backend_id: str | None = None) -> Appended:
        """Push through this process's writer."""
        return await start_push(self.id, backend_id, batch)

    async def push_elsewhere(self, batch: Sequence[Event]) -> Appended:
        """Push as another process does: nobody here is told."""
        done: Appended = await self._in_thread(storage.push, get_engine(), batch, to=self.id)
        return done

    async def numbers(self) -> list[int]:
        """What is stored."""
        found: list[int] = await self._in_thread(storage.numbers, get_engine(), self.id)
        return found

    async def backend_id(self) -> str:
        states = await get_readers().run(get_engine().states, [self.id])
        return states[self.id].backend_id

    async def _in_thread(self, function: Any, *args: Any, **options: Any) -> Any:
        return await get_readers().run(lambda: function(*args, **options))


@pytest.fixture
def store(services: None) -> Store:
    """A store that nobody has spoken of yet."""
    return Store(storage.STORE)
