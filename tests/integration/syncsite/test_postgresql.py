"""Three aliases on one PostgreSQL: one history of migrations, one set of tables."""

import psycopg
import pytest

from tests.servers import PostgresServer
from tests.site_process import SiteProcess

TABLES = {"auth_user", "django_session", "django_migrations", "livesync_store"}


@pytest.fixture
def url(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> str:
    return postgres_server.create_database(request.node.name)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables")}


@pytest.mark.parametrize("arguments", [(), ("--database", "livesync"), ("--database", "default")])
def test_one_migration_on_any_alias_makes_everything(url: str, arguments: tuple[str, ...]) -> None:
    site = SiteProcess(database_url=url)
    try:
        site.manage("migrate", *arguments)

        assert tables(url) >= TABLES
        assert "No migrations to apply" in site.manage("migrate")
    finally:
        site.close()


def test_the_site_serves_and_keeps_no_database_file(url: str) -> None:
    with SiteProcess(database_url=url) as site:
        assert "data   PostgreSQL database" in site.log
        assert not list(site.data_directory.glob("*.sqlite3*"))
        assert tables(url) >= TABLES
