"""A reset is told to everybody who waits for the store."""

import logging

import pytest
from pytest_django import Settings

from livesync.conf import LivesyncSettings
from livesync.protocol.errors import StoreNotFoundError
from livesync.services import hub
from livesync.services.stores import (
    all_store_ids,
    count_live_pulls,
    inspect_store,
    reset_store,
)
from livesync.storage import get_readers
from livesync.storage.database import DatabaseEngine
from tests.factories import make_events
from tests.live_pull import OpenPull
from tests.storage import STORE, everywhere, push

OPEN_TO_ALL = {"hooks": "livesync.hooks.OpenHooks"}


def test_a_store_that_does_not_exist_is_neither_inspected_nor_reset(engine: DatabaseEngine) -> None:
    with pytest.raises(StoreNotFoundError):
        inspect_store("missing")
    with pytest.raises(StoreNotFoundError):
        reset_store("missing")

    assert list(all_store_ids()) == []


@everywhere
def test_all_stores_are_listed(engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livesync.services.stores._STORES_PER_QUERY", 2)
    for store_id in ("b", "a", "e", "d", "c"):
        push(engine, [], to=store_id)

    assert list(all_store_ids()) == ["a", "b", "c", "d", "e"]


def test_the_log_says_who_ended_what(
    engine: DatabaseEngine, caplog: pytest.LogCaptureFixture
) -> None:
    push(engine, make_events(2), to="a\u202eb")

    with caplog.at_level(logging.WARNING):
        done = reset_store("a\u202eb", by="somebody")

    assert caplog.messages == [
        rf"store a\u{{202e}}b was reset by somebody: backend id {done.old_backend_id} is now"
        f" {done.backend_id}, 2 events are dropped"
    ]


@pytest.mark.usefixtures("services")
@everywhere
async def test_every_live_pull_of_the_store_ends_at_once(
    engine: DatabaseEngine, settings: Settings
) -> None:
    settings.LIVESYNC = OPEN_TO_ALL
    readers = get_readers()
    await readers.run(push, engine, make_events(2))
    async with OpenPull(STORE) as one, OpenPull(STORE) as two, OpenPull("other") as other:
        old = (await one.chunk())["backendId"]
        await two.chunk()
        await other.chunk()
        assert count_live_pulls(STORE) == 2

        done = await readers.run(reset_store, STORE)
        ends = [await one.end(), await two.end()]

        assert (
            ends
            == [{"_tag": "BackendIdMismatchError", "expected": done.backend_id, "received": old}]
            * 2
        )
        assert (count_live_pulls(STORE), count_live_pulls("other")) == (0, 1)


@pytest.mark.usefixtures("services")
@everywhere
async def test_a_reset_elsewhere_is_noticed_at_the_next_tick(
    engine: DatabaseEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LIVESYNC = OPEN_TO_ALL
    monkeypatch.setattr(hub, "get_settings", lambda: LivesyncSettings(reconcile_interval_s=0.01))
    async with OpenPull(STORE) as pull:
        old = (await pull.chunk())["backendId"]

        done = await get_readers().run(engine.reset, STORE)

        assert await pull.end() == {
            "_tag": "BackendIdMismatchError",
            "expected": done.backend_id,
            "received": old,
        }
