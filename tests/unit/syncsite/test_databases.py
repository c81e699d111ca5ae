"""Where the three aliases lead."""

import sqlite3
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncsite.databases import ALIASES, databases, sqlite_file


def test_without_a_url_each_alias_has_a_file_of_its_own(tmp_path: Path) -> None:
    made = databases("", tmp_path)

    files = {alias: sqlite_file(made[alias]["NAME"]) for alias in ALIASES}

    assert files == {alias: tmp_path / f"{alias}.sqlite3" for alias in ALIASES}


def test_sqlite_does_not_make_a_missing_file(tmp_path: Path) -> None:
    directory = tmp_path / "with blank & ü"
    directory.mkdir()
    name = databases("", directory)["livesync"]["NAME"]

    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite3.connect(name, uri=True)

    (directory / "livesync.sqlite3").touch()
    sqlite3.connect(name, uri=True).close()


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    options = databases("", tmp_path)["livesync"]["OPTIONS"]

    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]
    assert options["transaction_mode"] == "IMMEDIATE"


def test_with_a_url_all_aliases_lead_to_one_postgresql(tmp_path: Path) -> None:
    made = databases("postgresql://me:hush@db.example:5433/sync?sslmode=require", tmp_path)

    assert set(made) == set(ALIASES)
    assert made["default"] == made["livesync"] == made["chatstate"]
    assert made["livesync"]["HOST"] == "db.example"
    assert made["livesync"]["OPTIONS"]["sslmode"] == "require"
    assert sqlite_file(made["livesync"]["NAME"]) is None


def test_a_silent_link_to_postgresql_is_given_up_and_the_url_may_say_when(tmp_path: Path) -> None:
    url = "postgresql://me@db.example/sync"

    options = databases(url, tmp_path)["livesync"]["OPTIONS"]
    own = databases(f"{url}?keepalives_idle=60&tcp_user_timeout=0", tmp_path)["livesync"]["OPTIONS"]

    assert options["keepalives_idle"] + options["keepalives_interval"] * 3 < 30
    assert (options["keepalives_count"], options["tcp_user_timeout"]) == (3, 10_000)
    assert [str(own[k]) for k in ("keepalives_idle", "tcp_user_timeout")] == ["60", "0"]
    assert own["keepalives_interval"] == options["keepalives_interval"]


@pytest.mark.parametrize("url", ["mysql://me:hush@db/x", "sqlite:///x", "nonsense", "ftp://x"])
def test_another_database_is_refused_without_naming_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        databases(url, tmp_path)

    assert "DATABASE_URL" in str(refusal.value)
    assert "hush" not in str(refusal.value)
