"""What operators see of bots' state."""

import re

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from chatstate.admin import base
from chatstate.protocol.operations import ForceReleaseLock
from chatstate.storage.database import ShardDatabase
from groundwork import bounded_paginator
from tests.integration.chatstate.admin.conftest import (
    ALIAS,
    DATABASES,
    MODELS,
    SECRET,
    do,
    enqueue,
    entries_url,
    list_url,
    page,
    row_url,
    store,
    text_of,
)

pytestmark = pytest.mark.django_db(databases=DATABASES)

QUEUES = "/admin/chatstate/heldlock/queues/"
HOSTILE = ("<script>alert(1)</script>", "a\u202eb", "a\x00b", "caf\u00e9", "\ud83d", '"><b>')


def test_the_lists_show_how_things_stand(kept: ShardDatabase, root: Client) -> None:
    shown = {name: text_of(page(root, list_url(name))) for name in MODELS}

    assert re.search(
        r"slack:C1:1.2 bot [0-9a-f]{12} \d{4}-\S+ \S+ UTC 3,\d{3}\.\d s 0 \d+ Release",
        shown["heldlock"],
    )
    assert re.search(r"slack:C1:1.2 bot \d{4}-\S+ \S+ UTC Unsubscribe", shown["subscription"])
    assert re.search(
        r"slack:C1:1.2 bot 9 characters \d{4}-\S+ \S+ UTC 3,\d{3}\.\d s Value", shown["cacheentry"]
    )
    assert "slack:C1:1.2 bot 1 number 1 never Items" in shown["listhead"]
    assert "laptop bot read write live" in shown["token"]
    assert "chatstate 0 0 0 0 0 0" in shown["cleanup"]
    assert SECRET not in "".join(shown.values())


def test_the_page_of_the_app_leads_to_the_queues(kept: ShardDatabase, root: Client) -> None:
    assert f'href="{QUEUES}"' in page(root, "/admin/chatstate/")


@pytest.mark.parametrize("name", MODELS)
def test_each_row_has_a_page(kept: ShardDatabase, root: Client, name: str) -> None:
    shown = page(root, row_url(name))

    assert '<input type="submit" value="Save"' not in shown
    assert SECRET not in shown


@pytest.mark.parametrize("name", ["heldlock", "subscription", "cacheentry", "listhead"])
def test_rows_are_found_by_their_whole_key(
    chat_database: ShardDatabase, root: Client, name: str
) -> None:
    store(chat_database, "slack:C1:1.2")
    store(chat_database, "slack:C1:1.3")
    store(chat_database, "slack:C1:1.3", namespace="other")

    found = text_of(page(root, list_url(name, "?q=slack:C1:1.3")))
    filtered = text_of(page(root, list_url(name, "?q=slack:C1:1.3&namespace=other")))

    assert (found.count("slack:C1:1.3"), found.count("slack:C1:1.2")) == (2, 0)
    assert filtered.count("slack:C1:1.3") == 1
    assert "slack:C1" not in text_of(page(root, list_url(name, "?q=slack")))


@pytest.mark.parametrize("name", ["heldlock", "subscription", "cacheentry", "listhead", "token"])
def test_a_namespace_can_be_chosen(kept: ShardDatabase, root: Client, name: str) -> None:
    assert "bot" in text_of(page(root, list_url(name, "?namespace=bot"))).split("By namespace")[0]
    assert "0 selected" not in page(root, list_url(name, "?namespace=none"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("query", ["?value__contains=h", "?key__startswith=s", "?namespace__gt=a"])
def test_no_url_can_ask_for_a_part_of_a_value(
    kept: ShardDatabase, root: Client, name: str, query: str
) -> None:
    assert root.get(list_url(name, query)).status_code in (302, 400)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("query", ["?o=1.2", "?p=999", "?q=%00", "?all=", "?namespace=%00"])
def test_nonsense_in_a_url_breaks_nothing(
    kept: ShardDatabase, root: Client, name: str, query: str
) -> None:
    assert root.get(list_url(name, query)).status_code in (200, 302)


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_could_deceive_is_spelt_out(
    chat_database: ShardDatabase, root: Client, key: str
) -> None:
    store(chat_database, key)
    urls = [list_url(name) for name in ("heldlock", "subscription", "cacheentry", "listhead")]
    urls += [
        row_url("heldlock"),
        row_url("heldlock", "release"),
        row_url("subscription", "unsubscribe"),
        row_url("cacheentry", "value"),
        row_url("cacheentry", "delete"),
        row_url("listhead", "items"),
        QUEUES,
        entries_url(),
    ]

    for url in urls:
        shown = page(root, url)
        for part in ("<script>alert", "\u202e", "\x00", '"><b>'):
            assert part not in shown, url


def test_expired_locks_are_free(kept: ShardDatabase, root: Client) -> None:
    url = row_url("heldlock")
    expire("heldlock", "cacheentry")

    assert "0 held locks" in text_of(page(root, list_url("heldlock")))
    assert root.get(url).status_code == 302
    assert "expired" in text_of(page(root, list_url("cacheentry")))


def test_a_list_counts_and_pages_only_so_far(
    chat_database: ShardDatabase, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_paginator, "LIST_MAX_ROWS", 2)
    monkeypatch.setattr(base.RowsAdmin, "list_per_page", 1)
    for number in range(3):
        store(chat_database, f"t{number}")

    shown = [text_of(page(root, list_url("subscription", f"?p={n}"))) for n in (1, 2)]

    assert all("There are more than 2 rows" in one for one in shown)
    assert ["t2 bot" in shown[0], "t1 bot" in shown[1]] == [True, True]
    assert root.get(list_url("subscription", "?p=3")).status_code == 302


def test_every_stylesheet_is_there(kept: ShardDatabase, root: Client) -> None:
    sheets = re.findall(r'<link href="(/static/[^"]+\.css)"', page(root, QUEUES))

    assert [sheet.rpartition("/static/")[2] for sheet in sheets] == [
        "groundwork/visible_text.css",
        "chatstate/admin.css",
    ]
    assert {root.get(sheet).status_code for sheet in sheets} == {200}


def test_queues_are_listed_and_stranded_ones_warned_of(kept: ShardDatabase, root: Client) -> None:
    do(kept, enqueue("stranded"), enqueue("stranded"))

    shown = text_of(page(root, QUEUES))
    only_stranded = text_of(page(root, QUEUES + "?stranded=1"))

    warning = "1 queue is stranded: messages wait, and nobody works on the thread."
    assert warning in shown
    assert warning in text_of(page(root, list_url("heldlock")))
    assert re.search(r"slack:C1:1.2 bot 1 enqueued at 0 by its bot's clock, .* s held", shown)
    assert re.search(r"stranded bot 2 enqueued at 0 .* s stranded Messages", only_stranded)
    assert "slack" not in only_stranded

    do(kept, ForceReleaseLock(thread_id="slack:C1:1.2"))
    assert "2 queues are stranded" in text_of(page(root, list_url("heldlock")))


def test_queues_go_on_page_by_page(
    chat_database: ShardDatabase, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatstate.admin.queues.PAGE_QUEUES", 2)
    names = {f"t{number}" for number in range(5)}
    do(chat_database, *map(enqueue, names))

    found: list[str] = []
    url: str | None = QUEUES
    while url is not None:
        shown = page(root, url)
        found += re.findall(r'<bdi class="exact">(t\d)</bdi>', shown)
        more = re.search(r'<a href="([^"]*)">More', shown)
        url = QUEUES + more[1].replace("&amp;", "&") if more else None

    assert len(found) == 5
    assert set(found) == names


@pytest.mark.parametrize("query", ["?namespace=bot", "?digest=xx", "?digest=" + "0" * 64])
def test_a_queue_that_is_not_there_is_not_found(
    kept: ShardDatabase, root: Client, query: str
) -> None:
    assert root.get(reverse("admin:chatstate_queue_entries") + query).status_code == 404


@pytest.mark.parametrize("after", ["x", "-1", "9" * 20, "%00", "\u0661"])
def test_a_number_that_is_none_is_not_found(kept: ShardDatabase, root: Client, after: str) -> None:
    assert root.get(entries_url() + f"&after={after}").status_code == 404
    assert root.get(row_url("listhead", "items") + f"?after={after}").status_code == 404


@pytest.mark.parametrize("name", [*MODELS, "queues"])
def test_a_page_asks_little_and_along_an_index(
    kept: ShardDatabase,
    root: Client,
    name: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        store(kept, f"t{number}")
    is_queues = name == "queues"
    keyed = name in ("heldlock", "subscription", "cacheentry", "listhead")
    urls = [QUEUES, QUEUES + "?stranded=1"] if is_queues else [list_url(name)]
    urls += [list_url(name, query) for query in ("?q=t1", "?namespace=bot") if keyed]

    for url in urls:
        with django_assert_max_num_queries(12, using=ALIAS) as queries:
            page(root, url)
        for query in queries.captured_queries:
            assert_bounded(query["sql"])


def assert_bounded(sql: str) -> None:
    """Fail when a query has to look at more rows than it returns."""
    connection = connections[ALIAS]
    if not sql.startswith(("SELECT", "WITH", " ", "\n")) or "chatstate_" not in sql:
        return
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # small tables are scanned whatever there is
            cursor.execute("SET enable_seqscan = off")
            cursor.execute("SET enable_sort = off")
        cursor.execute(explain + sql)
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
            cursor.execute("RESET enable_sort")
    # the few queues that were found may be put in order once more
    plan = re.sub(r"(?s)SCAN queue.*", "", plan)
    whole = re.search(r"Seq Scan on chatstate_\w+|TEMP B-TREE FOR (ORDER|GROUP) BY", plan)
    assert whole is None, f"{sql}\n{plan}"


def expire(*tables: str) -> None:
    with connections[ALIAS].cursor() as cursor:
        for table in tables:
            cursor.execute(f"UPDATE chatstate_{table} SET expires_at_ms = 0")
