"""An import that is killed leaves nothing that anybody is served; the next one goes on."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.factories import make_events
from tests.moving_files import BACKEND_ID, STORE, write_durable_object
from tests.processes import wait_until
from tests.site_process import MANAGE, SiteProcess

EVENTS = 100_000


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    """A site that need not be served: commands open its database themselves."""
    site = SiteProcess()
    yield site
    site.close()


def stored(site: SiteProcess) -> int:
    """How many events have arrived."""
    path = site.data_directory / "livesync.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT max(event_count) FROM livesync_store").fetchone()
    return count or 0


@pytest.mark.drill
def test_an_import_that_is_killed_again_and_again_comes_to_its_end(
    site: SiteProcess, tmp_path: Path
) -> None:
    file = write_durable_object(tmp_path / "file", make_events(EVENTS))
    command = [sys.executable, str(MANAGE), "import_store", str(file)]
    kills = 0

    for share in (0.1, 0.4, 0.7):
        with subprocess.Popen(command, env=site.environment(), stderr=subprocess.DEVNULL) as killed:
            wait_until(
                lambda share=share, killed=killed: (
                    stored(site) > share * EVENTS or killed.poll() is not None
                ),
                what=f"{share:.0%} of the import",
            )
            kills += killed.poll() is None
            killed.kill()
    already = stored(site)
    printed = site.manage("import_store", str(file))

    assert kills > 0
    assert printed.startswith(f"store {STORE} got {EVENTS - already:,} events")
    assert printed.endswith(f"{EVENTS:,} events, head {EVENTS}, backend id {BACKEND_ID}\n")
    assert "nothing found" in site.manage("verify_store", STORE)
