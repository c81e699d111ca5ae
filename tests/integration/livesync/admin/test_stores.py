"""The list of stores and the page of one."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from groundwork import bounded_paginator
from livesync.admin import stores
from livesync.models import Store
from livesync.storage.database import DatabaseEngine
from tests.factories import make_events
from tests.integration.livesync.admin.conftest import MakeStaff, store_url, text_of
from tests.storage import everywhere, push

LIST = "/admin/livesync/store/"
WEIRD = "<script>alert(1)</script>\u202ecafe\u0301"


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response
    return response.content.decode()


def listed(client: Client, query: str = "") -> list[str]:
    """The ids in the list, in its order."""
    return re.findall(r'/change/[^"]*"><bdi class="exact">(.*?)</bdi>', page(client, LIST + query))


@everywhere
def test_the_list_shows_how_stores_stand(engine: DatabaseEngine, viewer: Client) -> None:
    push(engine, [], to="never pushed")
    done = push(engine, make_events(1_200), to="notes")

    text = text_of(page(viewer, LIST))

    assert re.search(r"never pushed 0 0 bytes 0 never 0 [\w-]{21}", text)
    assert re.search(
        rf"notes 1,200 24.6 KB 1200 {done.created_at[:10]} \d\d:\d\d:\d\d UTC 0 {done.backend_id}",
        text,
    )


def test_the_list_is_ordered_by_what_is_asked_for(engine: DatabaseEngine, viewer: Client) -> None:
    for store_id, count in (("b", 2), ("c", 1), ("a", 3)):
        push(engine, make_events(count), to=store_id)

    assert listed(viewer) == ["a", "b", "c"]
    assert listed(viewer, "?o=2") == ["c", "b", "a"]
    assert listed(viewer, "?o=-3") == ["a", "b", "c"]
    assert listed(viewer, "?o=-5") == ["a", "c", "b"]
    for nonsense in ("?o=99", "?o=x", "?p=999", "?x=y", "?all="):
        assert viewer.get(LIST + nonsense).status_code in (200, 302)


def test_stores_are_found_by_a_part_of_their_id(engine: DatabaseEngine, viewer: Client) -> None:
    for store_id in ("team-a/notes", "team-b/notes", "team-a/tasks", "100%"):
        push(engine, [], to=store_id)

    assert listed(viewer, "?q=team-a") == ["team-a/notes", "team-a/tasks"]
    assert listed(viewer, "?q=notes+team-b") == ["team-b/notes"]
    assert listed(viewer, "?q=%25") == ["100%"]
    assert "Null characters are not allowed" in page(viewer, LIST + "?q=%00")


def test_the_list_counts_and_pages_only_so_far(
    engine: DatabaseEngine, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_paginator, "LIST_MAX_ROWS", 3)
    monkeypatch.setattr(stores.StoreAdmin, "list_per_page", 2)
    for store_id in "abc":
        push(engine, [], to=store_id)
    assert "more than" not in page(viewer, LIST)

    push(engine, [], to="d")

    assert "There are more than 3 stores" in page(viewer, LIST)
    assert (listed(viewer), listed(viewer, "?p=2")) == (["a", "b"], ["c"])
    assert listed(viewer, "?q=d") == ["d"]


def test_an_id_that_could_deceive_is_spelt_out(engine: DatabaseEngine, viewer: Client) -> None:
    push(engine, make_events(1), to=WEIRD)
    urls = [LIST, *(store_url(name, WEIRD) for name in ("change", "events", "history"))]

    for url in urls:
        shown = page(viewer, url)

        assert "<script>alert" not in shown
        assert "\u202e" not in shown
        assert "&lt;script&gt;" in shown
    assert "U+202E" in page(viewer, LIST)
    assert r"cafe\u{301}" in page(viewer, LIST)


@everywhere
def test_the_page_of_a_store_shows_everything_and_leads_on(
    engine: DatabaseEngine, viewer: Client
) -> None:
    push(engine, make_events(2))
    engine.reset("store")
    done = push(engine, make_events(3))

    shown = page(viewer, store_url("change"))
    text = text_of(shown)

    for part in (
        "Store: store",
        "Events: 3",
        "Size: 63 bytes",
        "Head: 3",
        f"Backend id: {done.backend_id}",
        "Resets: 1",
        "Old events: being deleted in the background",
        "Live pulls here: 0",
    ):
        assert part in text
    assert f'href="{store_url("events")}"' in shown
    assert f'href="{store_url("history")}"' in shown
    assert store_url("reset") not in shown
    assert '<input type="submit" value="Save"' not in shown


def test_who_may_reset_finds_the_way(engine: DatabaseEngine, resetter: Client) -> None:
    push(engine, make_events(2))

    for name in ("change", "events"):
        assert f'href="{store_url("reset")}"' in page(resetter, store_url(name))


@pytest.mark.parametrize("page", ["change", "events", "reset", "history", "delete"])
def test_staff_without_permission_sees_no_store(
    engine: DatabaseEngine, make_staff: MakeStaff, page: str
) -> None:
    push(engine, make_events(1))
    client = make_staff()

    assert client.get(store_url(page)).status_code == 403
    assert client.get(LIST).status_code == 403


@pytest.mark.parametrize("page", ["changelist", "change", "events", "event", "args", "reset"])
def test_who_is_not_signed_in_is_sent_to_do_so(engine: DatabaseEngine, page: str) -> None:
    push(engine, make_events(1))
    number = (1,) if page in ("event", "args") else ()
    url = LIST if page == "changelist" else store_url(page, "store", *number)

    response = Client().get(url)

    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("page", ["change", "events", "reset"])
def test_a_store_that_does_not_exist_is_not_found(
    engine: DatabaseEngine, resetter: Client, page: str
) -> None:
    for key in (1, 10**30):
        response = resetter.get(f"{LIST}{key}/{page}/")

        # Django's own page goes back to the index and says so
        assert response.status_code == (302 if page == "change" else 404)


def test_nothing_can_be_added_changed_or_deleted(engine: DatabaseEngine) -> None:
    push(engine, make_events(2))
    before = Store.objects.values().get()
    admin = Client()
    admin.force_login(User.objects.create_superuser("root"))

    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}add/", {"store_id": "new"}).status_code == 403
    assert admin.post(store_url("change"), {"head": 9}).status_code == 403
    assert admin.get(store_url("delete")).status_code == 403
    assert admin.post(store_url("delete"), {"post": "yes"}).status_code == 403
    assert admin.post(store_url("events")).status_code == 405
    admin.post(LIST, {"action": "delete_selected", "_selected_action": before["id"]})

    assert Store.objects.values().get() == before


def test_every_stylesheet_is_there(engine: DatabaseEngine, viewer: Client) -> None:
    sheets = re.findall(r'<link href="(/static/[^"]+\.css)"', page(viewer, LIST))

    assert [sheet.rpartition("/static/")[2] for sheet in sheets] == [
        "groundwork/visible_text.css",
        "livesync/admin.css",
    ]
    assert {viewer.get(sheet).status_code for sheet in sheets} == {200}
