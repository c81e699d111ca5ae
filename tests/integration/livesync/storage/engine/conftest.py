"""The contract of an engine holds for each of them."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql", "files"])
def vendor(request: pytest.FixtureRequest) -> str:
    """The storage a test runs on; the central tables that belong to the files are on SQLite."""
    return str(request.param)
