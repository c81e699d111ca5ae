"""Staff with and without permissions, something of each kind to look at, and short ways to it."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test import Client
from django.urls import reverse
from msgspec import Raw

from chatstate.models import (
    CacheEntry,
    CleanUp,
    HeldLock,
    ListHead,
    QueuedEntry,
    Subscription,
    Token,
)
from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    Enqueue,
    Operation,
    Set,
    Subscribe,
)
from chatstate.services.expiry import clean_up
from chatstate.services.tokens import create_token
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Job

ALIAS = "chatstate"
DATABASES = ["default", ALIAS]
"""What a test has for its users, and for what ``chat_database`` exchanges meanwhile."""

HOUR_MS = 3_600_000
SECRET = '"hunter2"'
MODELS: dict[str, type[models.Model]] = {
    "heldlock": HeldLock,
    "subscription": Subscription,
    "cacheentry": CacheEntry,
    "listhead": ListHead,
    "token": Token,
    "cleanup": CleanUp,
}

MakeStaff = Callable[..., Client]


@pytest.fixture
def make_staff() -> MakeStaff:
    def make_staff(*permissions: str) -> Client:
        """A signed-in client of a staff member with these permissions of chatstate."""
        user = User.objects.create_user("staff", is_staff=True)
        found = Permission.objects.filter(
            content_type__app_label="chatstate", codename__in=permissions
        )
        user.user_permissions.set(found)
        assert user.user_permissions.count() == len(permissions)
        client = Client()
        client.force_login(user)
        return client

    return make_staff


@pytest.fixture
def root() -> Client:
    """May do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def kept(chat_database: ShardDatabase) -> ShardDatabase:
    """A database with something of each kind."""
    store(chat_database, "slack:C1:1.2")
    create_token("bot", label="laptop")
    clean_up(ALIAS)
    return chat_database


def store(database: ShardDatabase, key: str, namespace: str = "bot") -> None:
    """Something of each kind that has a key."""
    value = Raw(SECRET.encode())
    do(
        database,
        Subscribe(thread_id=key),
        AcquireLock(thread_id=key, ttl_ms=HOUR_MS),
        Set(key=key, value=value, ttl_ms=HOUR_MS),
        AppendToList(key=key, value=value),
        enqueue(key),
        namespace=namespace,
    )


def enqueue(thread_id: str) -> Enqueue:
    value = Raw(SECRET.encode())
    return Enqueue(thread_id=thread_id, message=value, enqueued_at=0, expires_at=HOUR_MS)


def do(database: ShardDatabase, *operations: Operation, namespace: str = "bot") -> None:
    database.commit([Job(namespace, "default", operations)])


def list_url(name: str, query: str = "") -> str:
    return reverse(f"admin:chatstate_{name}_changelist") + query


def row_url(name: str, page: str = "change") -> str:
    """The URL of a page of the only row of a table."""
    return reverse(f"admin:chatstate_{name}_{page}", args=(only(MODELS[name]).pk,))


def only(model: type[models.Model]) -> Any:
    """The only row of a table."""
    return model._default_manager.using(ALIAS).get()


def entries_url() -> str:
    """The page of the messages of the only queue."""
    entry = only(QueuedEntry)
    place = f"?namespace={entry.namespace}&digest={bytes(entry.key_digest).hex()}"
    return reverse("admin:chatstate_queue_entries") + place


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, (url, response)
    return response.content.decode()


def text_of(shown: str) -> str:
    """What a page shows, blanks made single."""
    body = shown.partition('id="content"')[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def confirm(client: Client, url: str) -> Any:
    """Send the form that the page shows."""
    states = re.findall(r'name="state" value="([^"]*)"', page(client, url))
    return client.post(url, {"state": html.unescape(states[0])} if states else {})
