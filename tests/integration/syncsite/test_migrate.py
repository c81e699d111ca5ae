"""``manage.py migrate`` on the embedded default, and then another server than ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.site_process import SiteProcess

OWN_TABLE = {"default": "auth_user", "livesync": "livesync_store"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SiteProcess]:
    made = SiteProcess(data_directory=tmp_path / "data")
    yield made
    made.close()


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def test_it_makes_every_database_with_its_own_tables_only(site: SiteProcess) -> None:
    site.manage("migrate")

    made = {alias: tables(site.data_directory / f"{alias}.sqlite3") for alias in OWN_TABLE}

    for alias, table in OWN_TABLE.items():
        assert [other for other in OWN_TABLE if table in made[other]] == [alias]


def test_an_app_is_migrated_where_its_tables_are(site: SiteProcess) -> None:
    site.manage("migrate", "livesync")

    assert "livesync_store" in tables(site.data_directory / "livesync.sqlite3")
    assert not tables(site.data_directory / "default.sqlite3")
