"""docs/operation.md: a backup of a running site can be restored, its backend ids kept or not."""

import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.docs import sync_http
from tests.docs.pages import page
from tests.docs.sync_http import event, outcome, pull, push
from tests.processes import wait_until
from tests.site_process import SiteProcess

PAGE = page("docs/operation.md")
STORE = "notes"


@pytest.fixture
def own_site() -> SiteProcess:
    """A site with its own data; a test starts and closes it."""
    return SiteProcess()


def test_a_backup_of_a_running_site_brings_back_what_it_held(
    own_site: SiteProcess, tmp_path: Path
) -> None:
    with own_site as site:
        _push(site, 1, 2)
        _back_up(site.data_directory, tmp_path / "backup")
        _push(site, 3)
        before = _pull(site)

        site.stop()
        _restore(tmp_path / "backup", site.data_directory)
        assert site.manage("verify_store", "--all") == "1 store verified, nothing found\n"
        site.start()

        after = _pull(site)
        assert [numbers for numbers, _ in (before, after)] == [[1, 2, 3], [1, 2]]
        assert before[1] == after[1]


def test_a_client_that_is_ahead_is_logged(own_site: SiteProcess) -> None:
    with own_site as site:
        _push(site, 1)
        backend_id = _pull(site)[1]

        ahead = _pull_after(site, {"backendId": backend_id, "eventSequenceNumber": 1200})

        assert outcome(ahead) == "Success"
        told = "has seen 1200, but the head is 1: is this an older backup?"
        wait_until(lambda: told in site.log, what="the warning")
        assert "has seen 1200, but the head is" in PAGE.text


def test_new_backend_ids_make_clients_start_over_and_keep_the_events(
    own_site: SiteProcess,
) -> None:
    with own_site as site:
        _push(site, 1, 2)
        former_id = _pull(site)[1]
        site.stop()

        _run_in_shell(site, PAGE.block("new_backend_ids.py").text)
        site.start()

        cursor = {"backendId": former_id, "eventSequenceNumber": 2}
        assert outcome(_pull_after(site, cursor)) == "BackendIdMismatchError"
        numbers, backend_id = _pull(site)
        assert numbers == [1, 2]
        assert backend_id != former_id


def test_the_commands_run_the_scripts_of_the_page() -> None:
    lines = [line for block in PAGE.blocks_in("sh") for line in block.text.splitlines()]

    assert any(shlex.split(line)[:2] == ["python3", "backup.py"] for line in lines)
    assert ".venv/bin/python manage.py shell < new_backend_ids.py" in lines


def _back_up(source: Path, target: Path) -> None:
    script = target.with_name("backup.py")
    script.write_text(PAGE.block("backup.py").text)
    subprocess.run([sys.executable, str(script), str(source), str(target)], check=True)


def _restore(backup: Path, data_directory: Path) -> None:
    for file in [*data_directory.glob("*-wal"), *data_directory.glob("*-shm")]:
        file.unlink()
    for file in backup.iterdir():
        (data_directory / file.name).write_bytes(file.read_bytes())


def _run_in_shell(site: SiteProcess, script: str) -> None:
    # what ``manage.py shell < script`` does
    site.manage("shell", "--verbosity", "0", "--command", script)


def _push(site: SiteProcess, *numbers: int) -> None:
    with httpx.Client(base_url=site.http_url) as http:
        answer = http.post(sync_http.url(STORE), json=push(STORE, *map(event, numbers)))
    assert outcome(answer) == "Success"


def _pull(site: SiteProcess) -> tuple[list[int], str]:
    values = _pull_after(site, None).json()[0]["values"][0]
    return [item["eventEncoded"]["seqNum"] for item in values["batch"]], values["backendId"]


def _pull_after(site: SiteProcess, cursor: dict[str, object] | None) -> httpx.Response:
    with httpx.Client(base_url=site.http_url) as http:
        return http.post(sync_http.url(STORE), json=pull(STORE, cursor))
