"""PostgreSQL ends sessions, or the way to it is cut: what was acknowledged is stored once."""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import connections
from msgspec import Raw

from chatstate.protocol.errors import UnavailableError
from chatstate.protocol.operations import AcquireLock, AppendToList, Dequeue, Enqueue, GetList
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Done, Job
from tests.cut_link import Cut, CutLink
from tests.integration.conftest import Databases, alias_on

pytestmark = pytest.mark.parametrize("vendor", ["postgresql"], indirect=True)

KEYS = ("a", "b", "c")


@pytest.fixture
def link(
    chat_database: ShardDatabase, vendor: str, chatstate_databases: Databases
) -> Iterator[CutLink]:
    """The way to the database, which the test may cut."""
    config = chatstate_databases.config(vendor)
    with (
        CutLink(int(config["PORT"])) as link,
        alias_on(config | {"PORT": link.port}, chat_database.alias),
    ):
        yield link


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name.lower())
def test_whenever_the_link_is_cut_at_the_commit_the_answer_is_true(
    chat_database: ShardDatabase, link: CutLink, cut: Cut
) -> None:
    for number in range(10):
        job = Job(
            "bot",
            "default",
            [
                append("list", number, f"append{number}"),
                AcquireLock(thread_id=str(number), ttl_ms=60_000, request_id=f"lock{number}"),
                enqueue(number),
                Dequeue(thread_id="t", request_id=f"dequeue{number}"),
            ],
        )
        link.arm(b"COMMIT\0", cut)  # and not READ COMMITTED
        (done,) = chat_database.commit([job])

        _, lock, _, entry = map(str, done.results)
        assert chat_database.commit([job]) == [done]
        assert json.loads(lock)["token"]
        assert json.loads(entry)["message"] == number

    assert link.cuts == 10
    assert items(chat_database, "list") == list(range(10))


def test_whenever_sessions_are_ended_nothing_is_lost_or_doubled(
    chat_database: ShardDatabase,
) -> None:
    writers, rounds = 3, 12
    written = threading.Event()
    begun = threading.Semaphore(0)

    def write(writer: int) -> None:
        keys = random.Random(writer)
        with closing(connections[chat_database.alias]):
            for number in range(rounds):
                name = f"{writer}.{number}"
                # each writer's own order, as processes have
                order = keys.sample(KEYS, k=len(KEYS))
                operations = [append(key, name, f"{name}{key}") for key in order]
                begun.release()
                surely(chat_database, [Job("bot", "default", operations)])

    def end_sessions() -> None:
        moments = random.Random(7)
        with closing(connections[chat_database.alias]) as own, own.cursor() as cursor:
            # once for each write: were it more often, a slow machine would never come to an end
            while begun.acquire() and not written.is_set():
                time.sleep(moments.uniform(0, 0.03))  # any moment of a commit
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with ThreadPoolExecutor(writers + 1) as threads:
        ending = threads.submit(end_sessions)
        try:
            list(threads.map(write, range(writers)))
        finally:
            written.set()
            begun.release()
        ending.result()

    everything = sorted(
        f"{writer}.{number}" for writer in range(writers) for number in range(rounds)
    )
    for key in KEYS:
        found = items(chat_database, key)
        assert sorted(found) == everything
        for writer in range(writers):
            assert [each for each in found if each.startswith(f"{writer}.")] == [
                f"{writer}.{number}" for number in range(rounds)
            ]


def append(key: str, value: int | str, request_id: str) -> AppendToList:
    return AppendToList(key=key, value=Raw(json.dumps(value).encode()), request_id=request_id)


def enqueue(number: int) -> Enqueue:
    return Enqueue(
        thread_id="t",
        message=Raw(str(number).encode()),
        enqueued_at=0,
        expires_at=60_000,
        request_id=f"enqueue{number}",
    )


def surely(database: ShardDatabase, jobs: Sequence[Job]) -> Sequence[Done]:
    """Commit as a client does: again and again while nobody knows."""
    while True:
        try:
            return database.commit(jobs)
        except UnavailableError:
            continue


def items(database: ShardDatabase, key: str) -> list[int | str]:
    (done,) = surely(database, [Job("bot", "default", [GetList(key=key)])])
    (piece,) = done.results
    return [json.loads(item) for item in piece.items]
