"""What the tests of the site share."""

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Close every alias' connection before the databases go.

    Where three aliases share a PostgreSQL database, the one that drops it knows nothing of the
    others' connections, and PostgreSQL drops no database that is in use.
    """
    yield
    with django_db_blocker.unblock():
        connections.close_all()
