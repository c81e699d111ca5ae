"""Staff with and without permissions, and short ways to the admin's pages."""

import html
import re
from collections.abc import AsyncIterator, Callable

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.urls import reverse

from livesync.models import Store
from livesync.storage.database import DatabaseEngine
from tests.storage import ALIAS, STORE

MakeStaff = Callable[..., Client]


@pytest.fixture(autouse=True)
def _users(db: None) -> None:
    """Users and sessions may be written; before ``engine``, which exchanges the other database."""


@pytest.fixture
def make_staff() -> MakeStaff:
    def make_staff(*permissions: str, **options: bool) -> Client:
        """A signed-in client of a staff member with these permissions of livesync."""
        user = User.objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        assert user.user_permissions.count() == len(permissions)
        client = Client(**options)
        client.force_login(user)
        return client

    return make_staff


@pytest.fixture
def viewer(make_staff: MakeStaff) -> Client:
    """May view stores."""
    return make_staff("view_store")


@pytest.fixture
def resetter(make_staff: MakeStaff) -> Client:
    """May view and reset stores."""
    return make_staff("view_store", "reset_store")


@pytest.fixture
async def _request_thread(engine: DatabaseEngine) -> AsyncIterator[None]:
    """The thread in which views run under ASGI knows the engine's database, and no former one."""
    await sync_to_async(forget_connection)()
    yield
    await sync_to_async(forget_connection)()


def forget_connection() -> None:
    """Let this thread open its next connection with the settings of that time."""
    connections[ALIAS].close()
    del connections[ALIAS]


def store_url(page: str, store_id: str = STORE, *parts: object) -> str:
    """The URL of a page of a store, by the last part of its name."""
    key = Store.objects.get(store_id=store_id).pk
    return reverse(f"admin:livesync_store_{page}", args=(key, *parts))


def text_of(page: str) -> str:
    """What a page shows, blanks made single."""
    body = page.partition('id="content"')[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())
