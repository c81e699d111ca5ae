"""docs/files-engine.md: stores where its examples put them, and a file that is put in its place."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from livesync.moving.reference import CONTEXT_TABLE, eventlog_table
from tests.docs.pages import page
from tests.factories import make_events
from tests.moving_files import BACKEND_ID, write_durable_object
from tests.site_process import SiteProcess

PAGE = page("docs/files-engine.md")
PLACES, FILE_OF_STORE, SPEAK_FIRST = "shop/places.py", "file_of_store.py", "speak_first.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    """A site that need not be served, with the page's function and in its environment."""
    directory = tmp_path_factory.mktemp("project")
    (directory / PLACES).parent.mkdir()
    (directory / PLACES).write_text(PAGE.block(PLACES).text)
    (said,) = re.findall(r"^ +(SYNCSITE_ENGINE)=(\S+)$", PAGE.text, re.MULTILINE)
    site = SiteProcess(environment={"PYTHONPATH": str(directory), **dict([said])})
    yield site
    site.close()


def file_of(site: SiteProcess, store_id: str) -> Path:
    """Where the page says that the file of a store is."""
    command = [sys.executable, "-c", PAGE.block(FILE_OF_STORE).text, store_id]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return site.data_directory / "stores" / said.strip()


def details(site: SiteProcess, store_id: str) -> tuple[str, str, int]:
    """Place, backend id and head."""
    found = json.loads(site.manage("inspect_store", "--json", store_id))
    return found["place"], found["backend_id"], found["head"]


def test_the_function_decides_for_each_store(site: SiteProcess) -> None:
    for store_id in ("archive/2025", "notes-2026"):
        site.manage("push_event", store_id, "v1.NoteAdded")

    assert details(site, "archive/2025")[0] == "files"
    assert details(site, "notes-2026")[0] == "database"
    assert not file_of(site, "notes-2026").exists()
    with closing(sqlite3.connect(file_of(site, "archive/2025"))) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    theirs = {eventlog_table("archive/2025"), CONTEXT_TABLE}
    assert theirs | {"livesync_store", "livesync_gap"} <= tables


def test_a_file_that_is_put_in_its_place_goes_on(site: SiteProcess) -> None:
    store_id = "archive/2024"
    path = file_of(site, store_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durable_object(path, make_events(3), store_id=store_id)

    script = PAGE.block(SPEAK_FIRST).text.replace("notes", store_id, 1)
    spoken = site.manage("shell", "--verbosity", "0", "--command", script)

    assert spoken == f"{BACKEND_ID}\n"
    assert site.manage("verify_store", store_id) == "1 store verified, nothing found\n"
    assert details(site, store_id) == ("files", BACKEND_ID, 3)
