"""What operators may do, and who may do it."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from msgspec import Raw

from chatstate.admin import deeds
from chatstate.models import Shard, Token
from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    ForceReleaseLock,
    Operation,
)
from chatstate.services.tokens import find_principal
from chatstate.storage.database import ShardDatabase
from tests.integration.chatstate.admin.conftest import (
    ALIAS,
    DATABASES,
    HOUR_MS,
    MODELS,
    SECRET,
    MakeStaff,
    confirm,
    do,
    entries_url,
    list_url,
    only,
    page,
    row_url,
    store,
    text_of,
)

pytestmark = pytest.mark.django_db(databases=DATABASES)

KEY = "slack:C1:1.2"
HOSTILE = ("\u202e<b>", "\x00", "caf\u00e9 \U0001f600", "\udc00")
DEEDS = {
    "heldlock": ("release", "force_release"),
    "subscription": ("unsubscribe", "delete_subscription"),
    "cacheentry": ("delete", "delete_cacheentry"),
    "token": ("revoke", "change_token"),
}
QUEUES = "/admin/chatstate/heldlock/queues/"
VALUES = {"cacheentry": "value", "listhead": "items"}


def entry() -> str:
    """The last line of the admin's log."""
    return str(LogEntry.objects.latest("pk").change_message)


def count(name: str) -> int:
    return int(MODELS[name]._default_manager.using(ALIAS).count())


@pytest.mark.parametrize("name", ["heldlock", "subscription", "cacheentry"])
def test_a_row_is_done_away_with_after_a_question(
    kept: ShardDatabase, root: Client, name: str
) -> None:
    store(kept, "other")
    store(kept, KEY, namespace="other")
    rows = MODELS[name]._default_manager.using(ALIAS).order_by("pk")
    first = rows[0]
    url = reverse(f"admin:chatstate_{name}_{DEEDS[name][0]}", args=(first.pk,))

    assert KEY in text_of(page(root, url))
    assert rows.count() == 3

    assert confirm(root, url).headers["Location"] == list_url(name)
    assert first.pk not in {row.pk for row in rows}
    assert rows.count() == 2
    assert KEY in entry()
    assert entry() in page(root, list_url(name))


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize("name", ["heldlock", "subscription", "cacheentry"])
def test_whatever_its_key_is(
    chat_database: ShardDatabase, root: Client, name: str, key: str
) -> None:
    store(chat_database, key)

    assert confirm(root, row_url(name, DEEDS[name][0])).status_code == 302

    assert count(name) == 0
    assert not {"\u202e", "\x00", "\udc00"} & {*entry()}


def test_a_lock_that_has_changed_hands_is_left_to_its_holder(
    kept: ShardDatabase, root: Client
) -> None:
    url = row_url("heldlock", "release")
    (state,) = re.findall(r'name="state" value="([^"]*)"', page(root, url))
    do(kept, ForceReleaseLock(thread_id=KEY), AcquireLock(thread_id=KEY, ttl_ms=HOUR_MS))

    for form in ({"state": state}, {}, {"state": "x" * 300}):
        response = root.post(row_url("heldlock", "release"), form)
        assert "It has changed since you opened this page" in response.content.decode()

    assert count("heldlock") == 1
    assert not LogEntry.objects.exists()


def test_a_lock_that_changes_hands_at_that_moment_is_left_to_its_holder_too(
    kept: ShardDatabase, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do_too_late(row: Any, operation: Operation) -> bool:
        do(kept, ForceReleaseLock(thread_id=KEY), AcquireLock(thread_id=KEY, ttl_ms=HOUR_MS))
        return deeds.do(row, operation)

    monkeypatch.setattr("chatstate.admin.locks.do", do_too_late)

    response = confirm(root, row_url("heldlock", "release"))

    assert "It has changed since you opened this page" in response.content.decode()
    assert count("heldlock") == 1
    assert not LogEntry.objects.exists()


def test_a_frozen_shard_says_so(kept: ShardDatabase, root: Client) -> None:
    Shard.objects.using(ALIAS).update(is_frozen=True)

    response = confirm(root, row_url("subscription", "unsubscribe"))

    assert "the shard is being moved" in response.content.decode()
    assert count("subscription") == 1
    assert not LogEntry.objects.exists()


def test_values_are_masked_until_they_are_asked_for(kept: ShardDatabase, root: Client) -> None:
    for url in (row_url("cacheentry", "value"), row_url("listhead", "items"), entries_url()):
        assert SECRET not in text_of(page(root, url))
        assert not LogEntry.objects.exists()

        response = root.post(url)

        assert SECRET in text_of(response.content.decode())
        assert "no-store" in response.headers["Cache-Control"]
        assert entry().startswith("Looked at")
        LogEntry.objects.all().delete()


def test_the_items_of_a_list_go_on_page_by_page(
    chat_database: ShardDatabase, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("lists", "values"):
        monkeypatch.setattr(f"chatstate.admin.{module}.PAGE_VALUES", 2)
    values = [b'"one"', b'"two"', b'"<b>\\u202e"']
    do(chat_database, *(AppendToList(key=KEY, value=Raw(value)) for value in values))
    url = row_url("listhead", "items")

    first = root.post(url).content.decode()
    second = root.post(url + "?after=2").content.decode()

    assert ('"one"' in text_of(first), "?after=2" in first) == (True, True)
    assert '"<b>\\u202e"' in text_of(second)
    assert "<b>" not in second
    assert "?after=" not in second.partition('id="content"')[2]


def test_a_token_is_shown_once(kept: ShardDatabase, root: Client) -> None:
    form = {"namespace": "new", "label": "\u202elaptop", "may_write": "on", "days": "30"}
    url = reverse("admin:chatstate_token_add")

    shown = root.post(url, form).content.decode()

    (token,) = re.findall(r"chat_[\w-]{43}", shown)
    principal = find_principal(token)
    assert principal is not None
    assert (principal.namespace, principal.rights) == ("new", ["read", "write"])
    assert token not in page(root, list_url("token"))
    assert token not in page(root, url)
    assert entry() == "Made a token for new: \\u{202e}laptop."


@pytest.mark.parametrize(
    "form",
    [{}, {"namespace": "a b"}, {"namespace": "a", "days": "0"}, {"namespace": "a", "label": "\0"}],
)
def test_a_token_that_cannot_be_is_not_made(
    kept: ShardDatabase, root: Client, form: dict[str, str]
) -> None:
    response = root.post(reverse("admin:chatstate_token_add"), form)

    assert "errorlist" in response.content.decode()
    assert count("token") == 1


def test_a_token_is_revoked_once(kept: ShardDatabase, root: Client) -> None:
    url = row_url("token", "revoke")
    assert "laptop" in text_of(page(root, url))

    assert root.post(url).headers["Location"] == list_url("token")

    assert only(Token).revoked_at is not None
    assert entry().startswith("Revoked the token")
    again = root.post(url, follow=True).content.decode()
    assert "It is revoked or has expired already." in again


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_seen_without_the_permission(
    kept: ShardDatabase, make_staff: MakeStaff, name: str
) -> None:
    client = make_staff()

    assert client.get(list_url(name)).status_code == 403
    assert client.get(row_url(name)).status_code == 403


@pytest.mark.parametrize("name", MODELS)
def test_who_may_view_may_nothing_else(
    kept: ShardDatabase, make_staff: MakeStaff, name: str
) -> None:
    client = make_staff(f"view_{name}")

    page(client, list_url(name))
    page(client, row_url(name))
    for url in (row_url(name, "delete"), f"/admin/chatstate/{name}/add/"):
        assert {client.get(url).status_code, client.post(url).status_code} == {403}
    if name in DEEDS:
        url = row_url(name, DEEDS[name][0])
        assert {client.get(url).status_code, client.post(url).status_code} == {403}
    if name in VALUES:
        url = row_url(name, VALUES[name])
        assert {client.get(url).status_code, client.post(url).status_code} == {403}
    assert client.post(row_url(name), {"namespace": "x"}).status_code == 403
    client.post(list_url(name), {"action": "delete_selected", "_selected_action": "1"})
    assert count(name) == 1


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_needs_both_permissions(
    kept: ShardDatabase, make_staff: MakeStaff, name: str
) -> None:
    deed, permission = DEEDS[name]
    url = row_url(name, deed)
    # who may change tokens may see them
    expected = 200 if permission.startswith("change_") else 403
    assert make_staff(permission).get(url).status_code == expected
    User.objects.all().delete()

    assert confirm(make_staff(f"view_{name}", permission), url).status_code == 302


def test_messages_need_two_permissions(kept: ShardDatabase, make_staff: MakeStaff) -> None:
    for permissions, expected in (
        ((), (403, 403)),
        (("view_values",), (403, 403)),
        (("view_queuedentry",), (200, 403)),
        (("view_queuedentry", "view_values"), (200, 200)),
    ):
        client = make_staff(*permissions)
        assert (client.get(QUEUES).status_code, client.get(entries_url()).status_code) == expected
        User.objects.all().delete()


@pytest.mark.parametrize("name", MODELS)
def test_who_is_not_signed_in_is_sent_to_do_so(kept: ShardDatabase, name: str) -> None:
    urls = [list_url(name), row_url(name), QUEUES, entries_url()]
    if name in DEEDS:
        urls.append(row_url(name, DEEDS[name][0]))

    for url in urls:
        assert Client().get(url).headers["Location"].startswith(reverse("admin:login"))


def test_no_form_writes_past_the_services(kept: ShardDatabase, root: Client) -> None:
    before = [list(model._default_manager.using(ALIAS).values()) for model in MODELS.values()]

    for name in MODELS:
        root.post(row_url(name), {"namespace": "x", "extended_count": 9})
        root.post(list_url(name), {"action": "delete_selected", "_selected_action": "1"})
        if name != "cacheentry":  # whose own page asks for more than that
            assert root.post(row_url(name, "delete"), {"post": "yes"}).status_code == 403
    root.post(row_url("cacheentry", "delete"), {"post": "yes"})

    after = [list(model._default_manager.using(ALIAS).values()) for model in MODELS.values()]
    assert after == before


def test_a_page_has_no_script_of_its_own(kept: ShardDatabase, root: Client) -> None:
    for url in (QUEUES, entries_url(), row_url("heldlock", "release"), list_url("heldlock")):
        scripts = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", page(root, url))
        assert [script for script in scripts if "application/json" not in script] == []
        assert not re.search(r"\son\w+=", page(root, url))
