"""What every test may use: the embedded servers, and how hypothesis runs."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.servers import PostgresServer, ValkeyServer

# no deadline: a busy machine is no failure; no database: examples worth keeping are in the tests
hypothesis.settings.register_profile("tests", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests that do not stop it; each makes databases of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey for this test alone, which may kill it."""
    with ValkeyServer() as server:
        yield server
