"""What holds for the files engine alone."""

import pytest


@pytest.fixture
def vendor() -> str:
    """Each store has a file of its own, and its row on SQLite."""
    return "files"
