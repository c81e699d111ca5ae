"""Tokens and permissions of stores in the admin."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from livesync.auth.store_tokens import TOKENS, Opens, create_token, tokens
from livesync.models import StorePermission
from tests.integration.livesync.admin.conftest import MakeStaff

ADD_TOKEN = reverse("admin:livesync_storetoken_add")
TOKEN_LIST = reverse("admin:livesync_storetoken_changelist")
ADD_PERMISSION = reverse("admin:livesync_storepermission_add")
PERMISSION_LIST = reverse("admin:livesync_storepermission_changelist")

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("engine"),
]


@pytest.fixture
def keeper(make_staff: MakeStaff) -> Client:
    """May do everything with tokens and permissions of stores."""
    deeds = ("view", "add", "change")
    return make_staff(
        *(f"{deed}_{model}" for deed in deeds for model in ("storetoken", "storepermission")),
        "delete_storepermission",
    )


def text_of(response: Any) -> str:
    return unescape(response.content.decode())


def revoke_url(pk: int) -> str:
    return reverse("admin:livesync_storetoken_revoke", args=(pk,))


def note() -> str:
    return str(LogEntry.objects.latest("pk").change_message)


def test_a_token_is_shown_once(keeper: Client) -> None:
    form = {"store": "team-", "is_prefix": "on", "label": "\u202elaptop", "days": "30"}

    shown = keeper.post(ADD_TOKEN, form)

    (token,) = re.findall(r"store_[\w-]{43}", text_of(shown))
    assert "no-store" in shown.headers["Cache-Control"]
    row = TOKENS.find(token)
    assert row is not None
    assert (row.store, row.is_prefix, row.may_push) == ("team-", True, False)
    assert row.expires_at is not None
    assert note() == r"Made a token for team-*: \u{202e}laptop."
    change = reverse("admin:livesync_storetoken_change", args=(row.pk,))
    for url in (TOKEN_LIST, ADD_TOKEN, change, revoke_url(row.pk)):
        page = text_of(keeper.get(url))
        assert token not in page
        assert row.digest.hex() not in page


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"store": ""},
        {"store": "a\x00"},
        {"store": "x" * 513},
        {"store": "a", "days": "0"},
        {"store": "a", "days": "36501"},
        {"store": "a", "label": "x" * 201},
    ],
)
def test_a_token_that_cannot_be_is_not_made(keeper: Client, form: dict[str, str]) -> None:
    response = keeper.post(ADD_TOKEN, form)

    assert 'class="errorlist"' in text_of(response)
    assert not tokens().exists()


def test_a_token_is_revoked_once(keeper: Client) -> None:
    create_token(Opens("notes"), label="laptop")
    pk = tokens().get().pk
    assert "laptop" in text_of(keeper.get(revoke_url(pk)))
    assert tokens().get().state == "live"

    assert keeper.post(revoke_url(pk)).headers["Location"] == TOKEN_LIST

    assert tokens().get().state == "revoked"
    assert note() == f"Revoked the token {pk}, laptop."
    again = text_of(keeper.post(revoke_url(pk), follow=True))
    assert "It is revoked or has expired already." in again
    assert keeper.delete(revoke_url(pk)).status_code == 405


def test_tokens_are_for_those_who_may(make_staff: MakeStaff) -> None:
    create_token(Opens("notes"))
    pk = tokens().get().pk
    viewer = make_staff("view_storetoken")

    assert viewer.get(TOKEN_LIST).status_code == 200
    assert viewer.post(ADD_TOKEN, {"store": "a"}).status_code == 403
    assert viewer.post(revoke_url(pk)).status_code == 403
    change = reverse("admin:livesync_storetoken_change", args=(pk,))
    assert viewer.post(change, {"store": "another"}).status_code == 403
    assert Client().get(TOKEN_LIST).status_code == 302
    assert tokens().get().state == "live"
    assert keeper_without_csrf(viewer).post(revoke_url(pk)).status_code == 403


def keeper_without_csrf(client: Client) -> Client:
    """The same session, from a page of somebody else."""
    other = Client(enforce_csrf_checks=True)
    other.cookies = client.cookies
    return other


def permit(client: Client, **fields: str) -> Any:
    form = {"holder_kind": "user", "holder_key": "ada", "store": "notes", **fields}
    return client.post(ADD_PERMISSION, form)


def test_a_permission_names_a_user_or_group_and_keeps_its_key(keeper: Client) -> None:
    user = User.objects.create_user("ada")
    group = Group.objects.create(name="painters")

    assert permit(keeper).headers["Location"] == PERMISSION_LIST
    permit(keeper, holder_kind="group", holder_key="painters", store="team-", is_prefix="on")
    permit(keeper, holder_kind="subject", holder_key="auth0|7", may_push="on")

    rows = StorePermission.objects.order_by("pk")
    assert [(row.holder_kind, row.holder_key, row.opens, row.may_push) for row in rows] == [
        ("user", str(user.pk), "notes", False),
        ("group", str(group.pk), "team-*", False),
        ("subject", "auth0|7", "notes", True),
    ]
    page = text_of(keeper.get(PERMISSION_LIST))
    assert "not asked for at present" in page
    for name in ("ada", "painters", "auth0|7"):
        assert name in page


def test_a_permission_is_changed_and_deleted(keeper: Client) -> None:
    user = User.objects.create_user("ada")
    permit(keeper)
    row = StorePermission.objects.get()
    url = reverse("admin:livesync_storepermission_change", args=(row.pk,))
    assert 'value="ada"' in text_of(keeper.get(url))

    form = {"holder_kind": "user", "holder_key": "ada", "store": "notes", "may_push": "on"}
    keeper.post(url, form)
    assert StorePermission.objects.get().may_push
    user.delete()
    assert f"#{row.holder_key}, deleted" in text_of(keeper.get(PERMISSION_LIST))
    delete = reverse("admin:livesync_storepermission_delete", args=(row.pk,))
    keeper.post(delete, {"post": "yes"})

    assert not StorePermission.objects.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"holder_key": "nobody"}, "There is no user of this name."),
        ({"holder_kind": "group"}, "There is no group of this name."),
        ({"store": "a\x1f"}, "No store can have this id"),
        ({"holder_kind": "everybody"}, "Select a valid choice"),
        ({"holder_key": "x" * 256}, "at most 255 characters"),
    ],
)
def test_a_permission_that_cannot_be_is_not_kept(
    keeper: Client, fields: dict[str, str], told: str
) -> None:
    User.objects.create_user("ada")

    assert told in text_of(permit(keeper, **fields))
    assert not StorePermission.objects.exists()


def test_nobody_has_the_same_permission_twice(keeper: Client) -> None:
    User.objects.create_user("ada")

    permit(keeper)
    again = permit(keeper, may_push="on")

    assert "already exists" in text_of(again)
    assert StorePermission.objects.count() == 1
