"""docs/python-client.md: its examples sync with a served site; its table names every error."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livesync import client as client_package
from livesync.client import Client, LivesyncError
from tests.docs.pages import ROOT, named_in, page, rows
from tests.docs.sync_http import new_store_id
from tests.processes import wait_until
from tests.site_process import SiteProcess

PAGE = page("docs/python-client.md")


@pytest.fixture
def store_id() -> str:
    return new_store_id()


@pytest.fixture
def notes(site: SiteProcess, store_id: str) -> Iterator[Client]:
    """A client of the store that the examples use."""
    with Client(store_id, site.ws_url) as client:
        yield client


def text_of(name: str, site: SiteProcess, store_id: str) -> str:
    """The example for this site, on a store of the test's own."""
    text = PAGE.block(name).text.replace("ws://localhost:8000", site.ws_url)
    return text.replace('"notes"', f'"{store_id}"').replace('"hall"', f'"{store_id}"')


def run(name: str, site: SiteProcess, store_id: str) -> dict[str, Any]:
    """Run an example here; what it has defined."""
    program: dict[str, Any] = {}
    exec(text_of(name, site, store_id), program)
    return program


def test_the_script_pushes_and_pulls(
    site: SiteProcess, store_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("script.py", site, store_id)

    assert capsys.readouterr().out == "1 v1.NoteAdded buy milk\n"


def test_the_worker_goes_on_where_it_was(
    site: SiteProcess, store_id: str, notes: Client, tmp_path: Path
) -> None:
    script, place = tmp_path / "worker.py", tmp_path / "place.json"
    script.write_text(text_of("worker.py", site, store_id))
    seen = []
    for number in (1, 2):
        notes.push([("v1.NoteAdded", {"id": str(number), "text": "buy milk"})])
        command = [sys.executable, str(script)]
        with subprocess.Popen(
            command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout is not None
            seen.append(worker.stdout.readline())
            wait_until(lambda: _seq_num(place) == number, what="the kept place")  # noqa: B023 (at once)
            worker.kill()

    assert seen == ["1 v1.NoteAdded\n", "2 v1.NoteAdded\n"]


def test_a_reset_starts_the_count_anew(
    site: SiteProcess, store_id: str, notes: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    notes.push([("v1.NoteAdded",), ("v1.NoteAdded",), ("v1.DayEnded",)])

    program = run("reset.py", site, store_id)
    program["start_over"]("another-backend")

    assert capsys.readouterr().out == "{'v1.NoteAdded': 2, 'v1.DayEnded': 1}\n"
    assert program["totals"] == {}


def test_only_free_seats_are_taken(site: SiteProcess, store_id: str, notes: Client) -> None:
    notes.push([("v1.SeatTaken", {"seat": 2})])

    program = run("rebase.py", site, store_id)

    assert [event.parsed_args["seat"] for event in notes.pull()] == [2, 1, 3]
    newer = notes.pull()
    assert program["without_taken"](
        [("v1.SeatTaken", {"seat": seat}) for seat in (3, 4)], newer
    ) == [("v1.SeatTaken", {"seat": 4})]


def test_the_view_pushes_in_its_own_process(
    site: SiteProcess, store_id: str, notes: Client
) -> None:
    code = f"""
from django.test import RequestFactory
exec({text_of("views.py", site, store_id)!r})
print(add_note(RequestFactory().post("/", {{"text": "from a view"}})).content)
"""

    assert "b'event 1'" in site.manage("shell", "-c", code)
    assert notes.pull()[0].parsed_args["text"] == "from a view"


def test_headers_may_come_from_a_function(
    site: SiteProcess, store_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("auth.py", site, store_id)

    assert capsys.readouterr().out == "0\n"


def test_every_error_is_in_the_table() -> None:
    documented = {name for row in rows(PAGE.text) for name in named_in(row[0])}
    errors = {
        name
        for name in client_package.__all__
        if isinstance(kind := getattr(client_package, name), type)
        and issubclass(kind, LivesyncError)
    }

    assert errors <= documented


def _seq_num(place: Path) -> int:
    try:
        return int(json.loads(place.read_text())[1])
    except (OSError, ValueError):
        return 0  # not there yet, or half written
