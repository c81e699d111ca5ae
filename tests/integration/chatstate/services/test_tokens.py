"""Tokens, looked up in threads that outlive connections, by readers that need no writer."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connections

from chatstate.protocol.errors import UnavailableError
from chatstate.services.threads import get_readers
from chatstate.services.tokens import Principal, create_token, find_principal, is_live, tokens
from chatstate.storage.database import ShardDatabase

_LOOK_UPS = 8  # so that each of the threads has some


@pytest.fixture
def sqlite_file(chat_database: ShardDatabase) -> str:
    return str(connections[chat_database.alias].settings_dict["NAME"])


@pytest.fixture
def held_write_lock(sqlite_file: str) -> Iterator[sqlite3.Connection]:
    """Another program's, to be taken by the test."""
    with closing(sqlite3.connect(sqlite_file, uri=True, isolation_level=None)) as other:
        yield other


@pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)
async def test_tokens_are_found_again_when_connections_have_been_cut(
    chat_database: ShardDatabase,
) -> None:
    token = await get_readers().run(create_token, "bot")
    before = await asyncio.gather(*(_find(token) for _ in range(_LOOK_UPS)))

    await asyncio.to_thread(_cut_all_connections, chat_database.alias)

    found = await asyncio.gather(*(_find(token) for _ in range(_LOOK_UPS)))
    assert [each and each.namespace for each in found] == ["bot"] * _LOOK_UPS
    assert found == before
    assert await get_readers().run(is_live, found[0].token_id)


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_a_token_lets_in_while_nothing_can_be_written(
    chat_database: ShardDatabase, held_write_lock: sqlite3.Connection
) -> None:
    token = await get_readers().run(create_token, "bot")
    held_write_lock.execute("BEGIN IMMEDIATE")

    found = await _find(token)

    assert found is not None
    assert found.namespace == "bot"
    held_write_lock.execute("ROLLBACK")
    used = await get_readers().run(lambda: tokens().get(pk=found.token_id).last_used_at)
    assert used is None


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_without_its_database_a_token_is_neither_good_nor_bad(
    chat_database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await get_readers().run(create_token, "bot")
    get_readers().stop()  # the next ones open connections of their own
    settings = connections[chat_database.alias].settings_dict
    lost = settings["NAME"].replace("chatstate.sqlite3", "lost.sqlite3")

    with monkeypatch.context() as moved:
        moved.setitem(settings, "NAME", lost)
        with pytest.raises(UnavailableError):
            await _find(token)


def _find(token: str) -> "asyncio.Future[Principal | None]":
    return get_readers().run(find_principal, token)


def _cut_all_connections(alias: str) -> None:
    with closing(connections[alias]), connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
