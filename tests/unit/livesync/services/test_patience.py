"""What is tried again, and for how long."""

import asyncio

import pytest

from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError
from livesync.services import patience
from livesync.services.patience import patiently


class Attempts:
    """Raises one fault after the other, then succeeds."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self.faults:
            raise self.faults.pop(0)
        return "done"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_AGAIN_EVERY_S", 0)


async def test_a_database_that_comes_back_was_worth_the_wait() -> None:
    attempts = Attempts(StorageUnavailableError(), StorageUnavailableError())

    assert await patiently(attempts, for_s=30) == "done"
    assert attempts.made == 3


async def test_without_time_there_is_one_attempt() -> None:
    attempts = Attempts(StorageUnavailableError())

    with pytest.raises(StorageUnavailableError):
        await patiently(attempts, for_s=0)

    assert attempts.made == 1


async def test_when_the_time_is_up_the_last_fault_is_told() -> None:
    async def fail() -> None:
        raise StorageUnavailableError

    with pytest.raises(StorageUnavailableError):
        await patiently(fail, for_s=0.01)


@pytest.mark.parametrize("error", [CommitUnknownError(), ValueError()])
async def test_nothing_else_is_tried_again(error: Exception) -> None:
    attempts = Attempts(error)

    with pytest.raises(type(error)):
        await patiently(attempts, for_s=30)

    assert attempts.made == 1


async def test_a_caller_that_leaves_ends_it() -> None:
    async def fail() -> None:
        raise StorageUnavailableError

    async with asyncio.timeout(30):
        waiting = asyncio.create_task(patiently(fail, for_s=30))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
