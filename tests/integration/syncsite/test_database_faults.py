"""Pages of the admin while a database is away."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from groundwork.connections import DatabaseUnavailableError
from livesync.protocol.errors import StorageUnavailableError

pytestmark = pytest.mark.django_db(databases=["default", "livesync", "chatstate"])

PAGES = {
    "admin:chatstate_heldlock_changelist": "chatstate.admin.locks.count_stranded",
    "admin:livesync_store_changelist": "livesync.admin.stores.StoreAdmin.get_queryset",
    "admin:index": "django.contrib.admin.sites.AdminSite.get_app_list",
}
FAULTS = [
    OperationalError("disk I/O error"),
    DatabaseUnavailableError("disk I/O error"),
    StorageUnavailableError(),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_asks_to_try_again(
    page: str, fault: Exception, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise fault

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(PAGES[page], fail)
        away = client.get(reverse(page))

    assert away.status_code == 503
    assert away.headers["Retry-After"] == "5"
    assert "disk I/O error" not in away.content.decode()
    assert client.get(reverse(page)).status_code == 200


def test_another_fault_is_a_fault_of_the_server(monkeypatch: Any) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    monkeypatch.setattr(PAGES["admin:index"], fail)

    with pytest.raises(ZeroDivisionError):
        client.get(reverse("admin:index"))
