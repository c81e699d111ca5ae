"""Stores move from the published worker to this server and back; LiveStore's command line."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docs import sync_http
from tests.docs.pages import page
from tests.e2e.conftest import StoreProcesses
from tests.e2e.node_clients import (
    NodeStoreApp,
    SyncWorker,
    SyncWorkerOnD1,
    ensure_cloudflare,
    note_created,
    note_edited,
    run_command_line,
)
from tests.e2e.node_clients.install import E2E
from tests.factories import make_event, make_events, wire_event, wire_events
from tests.site_process import SiteProcess

PAGE = page("docs/moving.md")
CONFIGURATION = "livestore-cli.config.js"


class SiteInPlaceOf(SiteProcess):
    """A site at the address where another server was."""

    def __init__(self, former: SyncWorker) -> None:
        self._former = former
        super().__init__()

    @property
    def port(self) -> int:
        return self._former.port


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    ensure_cloudflare()


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[SyncWorker]:
    """The published worker, of the kind that a test asks for."""
    worker: SyncWorker = getattr(request, "param", SyncWorker)()
    worker.start()
    yield worker
    worker.close()


@pytest.fixture
def site(worker: SyncWorker) -> Iterator[SiteProcess]:
    site = SiteInPlaceOf(worker)
    yield site
    site.close()


def ask(site: SiteProcess, store_id: str, body: dict[str, Any]) -> Any:
    """What the server at the site's address answers, whichever it is."""
    answer = httpx.post(f"{site.http_url}{sync_http.url(store_id)}", json=body, timeout=60)
    return answer.raise_for_status().json()


def pull(site: SiteProcess, store_id: str) -> tuple[list[Any], str]:
    """Every event with its metadata, and the backend id."""
    *chunks, _ = ask(site, store_id, sync_http.pull(store_id))
    pages = [page for chunk in chunks for page in chunk["values"]]
    return [item for page in pages for item in page["batch"]], pages[0]["backendId"]


def push(site: SiteProcess, store_id: str, events: Sequence[Any]) -> None:
    (done,) = ask(site, store_id, sync_http.push(store_id, *events))
    assert done["exit"]["_tag"] == "Success"


def backend_id_as_the_page_asks(site: SiteProcess, store_id: str) -> str:
    """What a server answers to the request of docs/moving.md."""
    (body,) = re.findall(r"-d '(.*?)'", PAGE.section("A server at Cloudflare"))
    (answer,) = ask(site, store_id, json.loads(body.replace("notes", store_id)))
    told: str = answer["exit"]["cause"]["error"]["expected"]
    return told


def strict_app(
    store_processes: StoreProcesses, site: SiteProcess, store_id: str, directory: Path
) -> AbstractAsyncContextManager[NodeStoreApp]:
    """A client that keeps what it has, and stops for good if it is told to start over."""
    return store_processes.first.app(
        url=site.ws_url,
        store_id=store_id,
        transport="ws",
        client_id="app",
        directory=directory / "app",
        on_backend_id_mismatch="shutdown",
        on_sync_error="shutdown",
    )


def put_in_place(exported: Path, durable_object: Path) -> None:
    """Do what docs/moving.md says about the file of a Durable Object."""
    for suffix in ("-wal", "-shm"):
        Path(f"{durable_object}{suffix}").unlink(missing_ok=True)
    shutil.move(exported, durable_object)


async def test_a_store_moves_here_and_back_under_a_client_that_stays(
    worker: SyncWorker,
    site: SiteProcess,
    store_processes: StoreProcesses,
    store_id: str,
    tmp_path: Path,
) -> None:
    async with strict_app(store_processes, site, store_id, tmp_path) as app:
        await app.commit(note_created("1", "milk"), note_edited("1", "oat milk"))
        await app.wait_synced()
        before = pull(site, store_id)
        told = backend_id_as_the_page_asks(site, store_id)
        worker.kill()
        await app.commit(note_created("2", "while nobody serves"))
        (file,) = worker.durable_objects()

        printed = site.manage("import_store", str(file))
        site.start()
        await app.wait_synced()
        here = pull(site, store_id)
        site.stop()
        await app.commit(note_created("3", "on the way back"))

        site.manage("export_store", store_id, str(tmp_path / "back"), "--format", "sqlite")
        put_in_place(tmp_path / "back", file)
        worker.start()
        await app.wait_synced()
        there = pull(site, store_id)

        notes = await app.query()

    assert printed == (
        f"store {store_id} got 2 events from the Durable Object: 2 events, head 2, backend id "
        f"{told}\n"
    )
    assert {backend_id for _, backend_id in (before, here, there)} == {told}
    assert here[0][:2] == before[0]
    assert there[0][:3] == here[0]
    assert [item["eventEncoded"]["seqNum"] for item in there[0]] == [1, 2, 3, 4]
    assert [note["text"] for note in notes] == [
        "oat milk",
        "while nobody serves",
        "on the way back",
    ]


@pytest.mark.parametrize("worker", [SyncWorkerOnD1], indirect=True)
async def test_a_client_of_a_store_in_d1_goes_on_here_with_every_event(
    worker: SyncWorkerOnD1,
    site: SiteProcess,
    store_processes: StoreProcesses,
    store_id: str,
    tmp_path: Path,
) -> None:
    created = make_event(1, name="v1.NoteCreated", args='{"id":"1","text":"milk"}')
    push(site, store_id, wire_events([created]))
    async with strict_app(store_processes, site, store_id, tmp_path) as app:
        # on D1 the worker sends what is pushed during a client's first read twice, which ends it
        await app.wait_rows(1)
        await app.commit(note_edited("1", "oat milk"))
        await app.wait_synced()
        before = pull(site, store_id)
        told = backend_id_as_the_page_asks(site, store_id)
        worker.kill()
        await app.commit(note_created("2", "while nobody serves"))
        await app.wait_kept()
    (database,), (durable_object,) = worker.databases(), worker.durable_objects()

    context = ("--context", str(durable_object))
    printed = site.manage("import_store", str(database), store_id, *context)
    site.start()
    async with strict_app(store_processes, site, store_id, tmp_path) as app:  # with what it kept
        await app.wait_synced()
        notes = await app.query()
    here = pull(site, store_id)

    assert f"got 2 events from the D1 database: 2 events, head 2, backend id {told}\n" in printed
    assert before[1] == here[1] == told
    assert here[0][:2] == before[0]
    assert [item["eventEncoded"]["seqNum"] for item in here[0]] == [1, 2, 3]
    assert [note["text"] for note in notes] == ["oat milk", "while nobody serves"]


def test_the_command_line_exports_and_imports(own_site: SiteProcess, tmp_path: Path) -> None:
    push(own_site, "notes", wire_events(make_events(150)))
    push(own_site, "notes", [{**wire_event(make_event(151, args=None)), "name": "without"}])
    (tmp_path / CONFIGURATION).write_text(PAGE.block(CONFIGURATION).text)
    (tmp_path / "package.json").write_text('{"type":"module"}')
    (tmp_path / "node_modules").symlink_to(E2E / "node_modules")
    run = partial(run_command_line, directory=tmp_path, SYNC_URL=own_site.ws_url)
    options = ("--config", CONFIGURATION, "--store-id")
    ours, theirs = str(tmp_path / "ours.json"), str(tmp_path / "theirs.json")

    run("sync", "export", *options, "notes", theirs)
    own_site.manage("import_store", theirs, "--to", "from-theirs", "--new-backend-id")
    own_site.manage("export_store", "notes", ours)
    printed = run("sync", "import", *options, "from-ours", "--force", ours)

    assert "Successfully imported 151 events" in printed
    events = [item["eventEncoded"] for item in pull(own_site, "notes")[0]]
    assert [item["eventEncoded"] for item in pull(own_site, "from-ours")[0]] == events
    assert [item["eventEncoded"] for item in pull(own_site, "from-theirs")[0]] == events
