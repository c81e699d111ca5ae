"""Chat state in two databases: each thread's on the shard of its platform."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.chat_client import ChatClient, ChatRefusedError, create_token
from tests.processes import ServerFailedError
from tests.site_process import SiteProcess

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.e2e.sharded_settings"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    data = tmp_path_factory.mktemp("shards") / "data"  # not the one that is migrated already
    with SiteProcess(data_directory=data, environment=SETTINGS) as site:
        yield site


def rows(site: SiteProcess, alias: str, table: str, column: str) -> list[str]:
    """What a column holds, as text."""
    with closing(sqlite3.connect(site.data_directory / f"{alias}.sqlite3")) as database:
        found = database.execute(f"SELECT {column} FROM chatstate_{table} ORDER BY 1").fetchall()
    return [value.decode() for (value,) in found]


async def test_each_operation_goes_to_the_shard_of_its_thread(site: SiteProcess) -> None:
    async with ChatClient(site, create_token(site)) as client:
        for platform in ("slack", "teams"):
            thread = f"{platform}:C1:1.2"
            await client.do("subscribe", threadId=thread)
            await client.do("acquireLock", threadId=thread, ttlMs=60_000, requestId=thread)
            await client.do("set", key=f"thread-state:{thread}", value=platform)
            await client.do("set", key=f"dedupe:{platform}:1", value=True)
            read = await client.do("get", key=f"thread-state:{thread}")

    assert read == "teams"
    assert rows(site, "chatstate_slack", "subscription", "thread_id") == ["slack:C1:1.2"]
    assert rows(site, "chatstate", "subscription", "thread_id") == ["teams:C1:1.2"]
    assert rows(site, "chatstate_slack", "heldlock", "thread_id") == ["slack:C1:1.2"]
    assert rows(site, "chatstate", "heldlock", "thread_id") == ["teams:C1:1.2"]
    assert rows(site, "chatstate_slack", "cacheentry", "key") == ["thread-state:slack:C1:1.2"]
    assert rows(site, "chatstate", "cacheentry", "key") == [
        "dedupe:slack:1",
        "dedupe:teams:1",
        "thread-state:teams:C1:1.2",
    ]


async def test_a_client_may_name_the_shard(site: SiteProcess) -> None:
    async with ChatClient(site, create_token(site)) as client:
        await client.do("subscribe", threadId="named", shard="slack")

        assert await client.do("isSubscribed", threadId="named", shard="slack")
        assert not await client.do("isSubscribed", threadId="named")
        with pytest.raises(ChatRefusedError, match="no shard 'mars'") as refused:
            await client.do("isSubscribed", threadId="named", shard="mars")

    assert refused.value.code == "unknown_shard"


def test_a_shard_without_tables_is_refused_by_the_check(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = tmp_path_factory.mktemp("not migrated") / "data"
    site = SiteProcess(data_directory=data, environment=SETTINGS)
    try:
        site.manage("migrate", "--database", "chatstate")
        with pytest.raises(ServerFailedError, match=r"chatstate\.E005.*'chatstate_slack'"):
            site.manage("check", "--deploy", "--database", "chatstate_slack")
    finally:
        site.close()
