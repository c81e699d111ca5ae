"""docs/moving.md: its steps, carried out on files as miniflare leaves them behind."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from livesync.management.commands.import_store import Command
from tests.docs.pages import named_in, page, rows
from tests.factories import make_events
from tests.moving_files import VECTORS, write_durable_object
from tests.site_process import SiteProcess

PAGE = page("docs/moving.md")
EXAMPLES = [
    (found[1], found[2])
    for block in PAGE.blocks_in("console")
    if (
        found := re.fullmatch(r"\$ \.venv/bin/python manage\.py (.*?)\n(.*)", block.text, re.DOTALL)
    )
]
STATE = Path(".wrangler", "state", "v3")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of wrangler's with the files that the page names."""
    objects = tmp_path / STATE / "do" / "sync-SyncBackendDO"
    d1 = tmp_path / STATE / "d1" / "miniflare-D1DatabaseObject"
    for directory in (objects, d1):
        directory.mkdir(parents=True)
    write_durable_object(objects / "0a1b2c.sqlite", make_events(3))
    for suffix in ("", "-wal"):
        shutil.copy(VECTORS / f"notes-2026.sqlite{suffix}", objects / f"6a7b8c.sqlite{suffix}")
        shutil.copy(VECTORS / f"d1.sqlite{suffix}", d1 / f"3d4e5f.sqlite{suffix}")
    shutil.copy(VECTORS / "d1.sql", tmp_path)
    return tmp_path


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    """A site that need not be served: commands open its database themselves."""
    site = SiteProcess()
    yield site
    site.close()


def test_the_examples_print_what_the_page_shows(project: Path, site: SiteProcess) -> None:
    printed = [site.manage(*shlex.split(command), directory=project) for command, _ in EXAMPLES]

    assert len(printed) >= 6
    assert printed == [text for _, text in EXAMPLES]


def test_every_option_has_a_row() -> None:
    table = PAGE.section("While it runs, and after it was cut off")
    documented = {name for row in rows(table) for name in named_in(row[0])}
    parser = Command().create_parser("manage.py", "import_store")
    common = {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color"}
    common |= {"force_color", "skip_checks", "file"}

    options = {
        action.option_strings[-1] if action.option_strings else "STORE"
        for action in parser._actions
        if action.dest not in common
    }

    assert documented == options
