"""What a socket hears of faults behind it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from groundwork import frames
from livesync.protocol.errors import CommitUnknownError, StorageUnavailableError
from livesync.services import pull as pull_module
from livesync.services.append import get_writer
from livesync.services.hub import get_hub
from livesync.storage import get_engine, get_readers
from tests.clients import PUSHED, ClosedError, error_of
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect
from tests.integration.livesync.transports.sockets import code_of_close, only_sqlite


class Away:
    """An engine that cannot read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_: Any, **__: Any) -> Any:
        raise self._error


@only_sqlite
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageUnavailableError(), frames.TRY_LATER),
        (CommitUnknownError(), frames.TRY_LATER),
        (ValueError("a bug"), frames.INTERNAL),
    ],
)
async def test_a_pull_that_cannot_be_answered_closes_the_socket_instead(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, live: bool, error: Exception, code: int
) -> None:
    # UnknownError would end the client's pulling for good; a closed socket is tried again
    monkeypatch.setattr(pull_module, "get_engine", lambda: Away(error))
    client = await connect()

    client.pull(live=live)

    with pytest.raises(ClosedError) as closed:
        await client.receive()
    assert closed.value.code == code
    assert get_hub().count() == 0


@only_sqlite
async def test_a_live_pull_that_falls_behind_during_a_fault_closes_its_socket(
    connect: Connect, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(extensions={})
    pull = client.pull(live=True)
    await client.page(pull)
    await client.ping()
    monkeypatch.setattr(pull_module, "get_engine", lambda: Away(StorageUnavailableError()))

    await store.push_elsewhere(make_events(1))
    await get_hub().reconcile()

    assert await code_of_close(client) == frames.TRY_LATER + 3_000  # as daphne allows


@only_sqlite
async def test_a_push_that_could_not_be_stored_is_told_as_an_unknown_error(
    connect: Connect, store: Store
) -> None:
    client = await connect()
    with failing_commits(StorageUnavailableError()):
        error = error_of(await client.exit(client.push(make_events(1))))

    assert (error["_tag"], error["cause"]["name"]) == ("UnknownError", "StorageUnavailableError")
    assert await client.exit(client.push(make_events(1))) == PUSHED


@only_sqlite
async def test_a_bug_behind_a_push_is_logged_and_not_shown(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()
    with failing_commits(ValueError("a secret")):
        error = error_of(await client.exit(client.push(make_events(1))))

    assert error["cause"] == {"name": "InternalError", "message": "the server failed"}
    assert logging.ERROR in [record.levelno for record in caplog.records]


@only_sqlite
async def test_a_push_of_unknown_outcome_is_answered_neither_way(connect: Connect) -> None:
    client = await connect()
    with failing_commits(CommitUnknownError()):
        client.push(make_events(1))

        with pytest.raises(ClosedError) as closed:
            await client.receive()
    assert closed.value.code == frames.TRY_LATER


@contextmanager
def failing_commits(error: Exception) -> Iterator[None]:
    writer = get_writer()
    commit = writer._commit

    def fail(jobs: Any) -> Any:
        raise error

    writer._commit = fail
    try:
        yield
    finally:
        writer._commit = commit


@only_sqlite
async def test_a_reset_ends_live_pulls_with_the_new_backend_id(
    connect: Connect, store: Store
) -> None:
    await store.push(make_events(2))
    client = await connect()
    pull = client.pull(live=True)
    known = (await client.page(pull))["backendId"]

    done = await get_readers().run(get_engine().reset, store.id)
    await get_hub().reconcile()

    assert error_of(await client.exit(pull)) == {
        "_tag": "BackendIdMismatchError",
        "expected": done.backend_id,
        "received": known,
    }
    assert await client.exit(client.push(make_events(1), backend_id=done.backend_id)) == PUSHED
