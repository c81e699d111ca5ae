"""Shards in several databases: the operator chooses which one the pages show."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse

from chatstate.models import HeldLock
from chatstate.protocol.operations import AcquireLock
from chatstate.storage.database import ShardDatabase
from tests.integration.chatstate.admin.conftest import (
    ALIAS,
    DATABASES,
    HOUR_MS,
    confirm,
    do,
    enqueue,
    list_url,
    page,
    store,
    text_of,
)

pytestmark = pytest.mark.django_db(databases=DATABASES)

SECOND = "chat_second"
QUEUES = reverse("admin:chatstate_queues")
CHOOSE = reverse("admin:chatstate_database")
LISTS = [list_url(name) for name in ("heldlock", "subscription", "cacheentry", "listhead")]


@pytest.fixture
def second(chat_database: ShardDatabase, settings: Any, tmp_path: Path) -> Iterator[ShardDatabase]:
    """Another database, which keeps the shard ``slack``."""
    shards = {"default": ALIAS, "slack": SECOND}
    settings.CHATSTATE = {"shards": shards}
    file = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "second.sqlite3")}
    connections.databases[SECOND] = {**connections["default"].settings_dict, **file}
    try:
        call_command("migrate", "chatstate", database=SECOND, verbosity=0)
        yield ShardDatabase(SECOND)
    finally:
        connections[SECOND].close()
        del connections[SECOND]
        del connections.databases[SECOND]


def choose(client: Client, alias: str, back: str = QUEUES) -> str:
    answer = client.post(CHOOSE, {"database": alias, "back": back})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_each_database_is_shown_when_it_is_chosen(
    chat_database: ShardDatabase, second: ShardDatabase, root: Client
) -> None:
    store(chat_database, "web:C1:here")
    store(second, "slack:C1:there")

    at_first = [text_of(page(root, url)) for url in (*LISTS, QUEUES)]
    assert choose(root, SECOND, LISTS[0]) == LISTS[0]
    then = [text_of(page(root, url)) for url in (*LISTS, QUEUES)]

    assert all("web:C1:here" in shown and "slack:C1:there" not in shown for shown in at_first)
    assert all("slack:C1:there" in shown and "web:C1:here" not in shown for shown in then)
    assert all("chat_second, with the shards slack" in shown for shown in at_first + then)
    assert f'<option value="{SECOND}" selected>' in page(root, QUEUES)


def test_a_deed_is_done_in_the_database_of_its_row(
    chat_database: ShardDatabase, second: ShardDatabase, root: Client
) -> None:
    for database in (chat_database, second):
        do(database, AcquireLock(thread_id="web:C1:1", ttl_ms=HOUR_MS))
    choose(root, SECOND)
    held = HeldLock.objects.using(SECOND).get()

    confirm(root, reverse("admin:chatstate_heldlock_release", args=(held.pk,)))

    assert not HeldLock.objects.using(SECOND).exists()
    assert HeldLock.objects.using(ALIAS).exists()


def test_a_question_about_one_database_does_nothing_in_another(
    chat_database: ShardDatabase, second: ShardDatabase, root: Client
) -> None:
    for database in (chat_database, second):
        do(database, AcquireLock(thread_id="web:C1:1", ttl_ms=HOUR_MS))
    there = HeldLock.objects.using(SECOND).get()
    HeldLock.objects.using(ALIAS).update(id=there.pk, fence=there.fence)
    url = reverse("admin:chatstate_heldlock_release", args=(there.pk,))
    asked = root.get(url).context["form"].initial["state"]

    choose(root, SECOND)
    answer = root.post(url, {"state": asked})

    assert "It has changed since you opened this page" in answer.content.decode()
    assert HeldLock.objects.using(ALIAS).exists()
    assert HeldLock.objects.using(SECOND).exists()


def test_stranded_queues_are_those_of_the_shown_database(
    chat_database: ShardDatabase, second: ShardDatabase, root: Client
) -> None:
    do(second, enqueue("slack:C1:1"))

    here = text_of(page(root, LISTS[0]))
    choose(root, SECOND)
    there = text_of(page(root, LISTS[0]))

    assert "stranded" not in here
    assert "1 queue is stranded" in there


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", ""])
def test_the_way_back_stays_on_this_site(second: ShardDatabase, root: Client, back: str) -> None:
    assert choose(root, SECOND, back) == reverse("admin:app_list", args=("chatstate",))


def test_what_is_no_database_is_not_chosen(second: ShardDatabase, root: Client) -> None:
    choose(root, SECOND)

    choose(root, "default")

    assert f'<option value="{SECOND}" selected>' in page(root, QUEUES)


def test_one_database_leaves_nothing_to_choose(chat_database: ShardDatabase, root: Client) -> None:
    assert all("chat-databases" not in page(root, url) for url in (*LISTS, QUEUES))


def test_only_staff_chooses() -> None:
    assert "/login/" in choose(Client(), ALIAS)
