"""A site that overrides no hook pays for none."""

import asyncio

import pytest
from pytest_django import Settings

from livesync.hooks import Context
from livesync.protocol.calls import Pull, Push
from livesync.services.connection import Connection
from livesync.services.site import Site, admit, get_site
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.listeners import Listener

pytestmark = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _open_to_all(settings: Settings) -> None:
    settings.LIVESYNC = {**settings.LIVESYNC, "hooks": "livesync.hooks.OpenHooks"}


async def connect(store: Store) -> Connection:
    return Connection(await admit(Context(store_id=store.id, transport="ws", headers={"a": "b"})))


async def test_only_what_a_site_overrides_is_called(store: Store) -> None:
    assert {name for name in Site._fields if getattr(get_site(), name)} == {"validate_payload"}


async def test_a_push_without_hooks_needs_no_task(store: Store) -> None:
    connection = await connect(store)
    tasks = asyncio.all_tasks()

    future = connection.start_push(Push("1", None, make_events(1)))

    assert not isinstance(future, asyncio.Task)
    assert asyncio.all_tasks() == tasks
    assert (await future).head == 1


async def test_a_pull_without_hooks_has_nothing_to_wait_for(store: Store) -> None:
    connection = await connect(store)
    pull = Pull("1", None, live=True)
    listener = Listener(store.id)

    assert not connection.asks_before_pull
    assert connection.live_pull(pull, listener)._see_page is None


async def test_nobody_connects_whom_the_site_was_not_asked_about(store: Store) -> None:
    with pytest.raises(ValueError, match="was not asked"):
        Connection(Context(store_id=store.id, transport="ws", headers={}))


async def test_headers_are_not_kept_unless_they_are_named(store: Store) -> None:
    assert (await connect(store)).context.headers == {}
