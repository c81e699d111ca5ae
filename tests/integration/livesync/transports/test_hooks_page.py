"""docs/hooks.md: its table has every hook, and its examples do what it says."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.core.cache import cache
from django.dispatch import Signal

from livesync import signals
from livesync.hooks import Context, Hooks
from syncsite.sync_handler import SyncHandler
from tests.clients import PUSHED, HttpClient, call_http, error_of, page_numbers, sync_query, until
from tests.docs.pages import named_in, page, rows
from tests.factories import make_event, make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune

PAGE = page("docs/hooks.md")

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, tune: Tune, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Saves an example as a module, and lets the site use its hooks."""
    loaded: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)

    def load(name: str, cls: str = "") -> ModuleType:
        (tmp_path / name).write_text(PAGE.block(name).text)
        module = name.removesuffix(".py")
        loaded.append(module)
        if cls:
            tune(hooks=f"{module}.{cls}")
        return __import__(module)

    yield load
    for module in loaded:
        sys.modules.pop(module, None)


def test_every_hook_is_there() -> None:
    own = {name for name, _ in inspect.getmembers(Hooks) if not name.startswith("_")}
    documented = {named_in(row[0])[0] for row in rows(PAGE.text) if len(row) == 3}

    assert documented == own - {"uses_session", "needs_session"}


def test_every_attribute_of_the_context_is_there() -> None:
    own = {field.name for field in dataclasses.fields(Context)}

    assert {named_in(row[0])[0] for row in rows(PAGE.section("The context"))} == own


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_tenants_have_their_own_stores_and_guests_read_only(store: Store, load: Load) -> None:
    tenants = load("tenants.py", "TenantHooks")

    def client(tenant: str, **options: bool) -> HttpClient:
        token = tenants.make_token(tenant, **options)
        return HttpClient(SyncHandler(), store.id, payload={"token": token})

    assert await client("one").push(make_events(1)) == PUSHED
    assert await client("two").push(make_events(2)) == PUSHED
    refused = await client("two", is_guest=True).push(make_events(1, after=2))
    chunk, _ = await client("two", is_guest=True).pull()

    assert error_of(refused)["cause"]["name"] == "AuthError"
    assert page_numbers(chunk["values"][0]) == [1, 2]
    for payload in (None, {}, {"token": "x"}):
        query = sync_query(store.id, "http", payload)
        assert (await call_http(SyncHandler(), query, {"_tag": "Ping"})).status == 400


def test_every_signal_is_there_with_its_arguments() -> None:
    own = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    table = rows(PAGE.section("Signals"))
    documented = {named_in(row[0])[0]: named_in(row[3]) for row in table}

    assert documented.keys() == own
    docstrings = inspect.getsource(signals)
    assert all(f"``{name}``" in docstrings for names in documented.values() for name in names)


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_a_receiver_remembers_the_last_note(store: Store, load: Load) -> None:
    module = load("added_notes.py")
    cache.clear()
    try:
        await store.push(make_events(2, name="v1.NoteAdded", args='{"text":"buy milk"}'))
        await until(lambda: cache.get(f"last-note-{store.id}") is not None)
    finally:
        signals.events_pushed.disconnect(module.remember_last_note)

    assert cache.get(f"last-note-{store.id}") == "buy milk"


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_unknown_events_are_refused_and_known_ones_counted(store: Store, load: Load) -> None:
    load("known_events.py", "KnownEventsHooks")
    cache.clear()
    client = HttpClient(SyncHandler(), store.id)

    pushed = await client.push(make_events(2, name="v1.NoteAdded"))
    refused = await client.push([make_event(3, name="v1.Nonsense")])

    assert pushed == PUSHED
    assert error_of(refused)["cause"]["message"] == "unknown event v1.Nonsense"
    assert await store.numbers() == [1, 2]
    assert cache.get(store.id) == 2
