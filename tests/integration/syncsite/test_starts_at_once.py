"""Several sites that start at the same time on the same empty databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import PostgresServer
from tests.site_process import SiteProcess


@pytest.fixture(params=["sqlite", "postgresql"])
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[SiteProcess]]:
    if request.param == "sqlite":
        made = [SiteProcess(data_directory=tmp_path / "data") for _ in range(2)]
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        url = postgres.create_database("starts at once")
        made = [SiteProcess(database_url=url) for _ in range(2)]
    yield made
    for site in made:
        site.close()


def test_one_of_them_makes_the_tables_and_the_admin(sites: list[SiteProcess]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(SiteProcess.start, sites))

    assert all(site.is_ready() for site in sites)
    assert "".join(site.log for site in sites).count("the admin user is admin, password") == 1
    for site in sites:
        site.stop()
