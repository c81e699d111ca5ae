"""A reset by a signed-in operator."""

from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from pytest_django import Settings

from livesync.models import Store
from livesync.protocol.errors import StorageUnavailableError
from livesync.services.purge import get_purger
from livesync.storage import get_engine, get_readers
from livesync.storage.database import DatabaseEngine
from tests.factories import make_events
from tests.integration.livesync.admin.conftest import MakeStaff, store_url, text_of
from tests.live_pull import OpenPull
from tests.storage import STORE, everywhere, find, push

WEIRD = " a\u202eb "
SHOWN = r"\u{20}a\u{202e}b\u{20}"


def backend_id(store_id: str = STORE) -> str:
    return get_engine().states([store_id])[store_id].backend_id


def test_the_page_asks_and_changes_nothing(engine: DatabaseEngine, resetter: Client) -> None:
    push(engine, make_events(1_200))
    before = Store.objects.values().get()

    response = resetter.get(store_url("reset"))
    resetter.head(store_url("reset"))

    text = text_of(response.content.decode())
    assert "Reset store store ?" in text
    assert "its 1,200 events are deleted" in text
    assert f"The present backend id is {before['backend_id']}" in text
    assert f'name="backend_id" value="{before["backend_id"]}"' in response.content.decode()
    assert Store.objects.values().get() == before
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("typed", [WEIRD, SHOWN])
def test_the_typed_store_id_resets(engine: DatabaseEngine, resetter: Client, typed: str) -> None:
    push(engine, make_events(3), to=WEIRD)
    former = backend_id(WEIRD)

    response = resetter.post(store_url("reset", WEIRD), {"typed": typed}, follow=True)

    assert response.redirect_chain == [(store_url("change", WEIRD), 302)]
    assert backend_id(WEIRD) != former
    assert Store.objects.get().event_count == 0
    text = text_of(response.content.decode())
    assert f"Backend id: {backend_id(WEIRD)}" in text


@everywhere
def test_it_is_written_down_who_ended_what(engine: DatabaseEngine, resetter: Client) -> None:
    push(engine, make_events(1_200))
    former = backend_id()

    resetter.post(store_url("reset"), {"typed": STORE})

    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.action_flag) == ("staff", CHANGE)
    assert (entry.object_id, entry.object_repr) == (str(Store.objects.get().pk), STORE)
    assert entry.change_message == (
        f"Reset: backend id {former} is now {backend_id()}, 1,200 events are dropped."
    )
    assert entry.change_message in text_of(resetter.get(store_url("history")).content.decode())


def test_the_old_events_go_away_by_themselves(engine: DatabaseEngine, resetter: Client) -> None:
    push(engine, make_events(5))

    resetter.post(store_url("reset"), {"typed": STORE})
    get_purger().join()

    assert find("SELECT count(*) FROM livesync_storedevent") == [(0,)]


@pytest.mark.parametrize("typed", ["", "Store", "store ", "yes", "\0"])
def test_anything_else_typed_resets_nothing(
    engine: DatabaseEngine, resetter: Client, typed: str
) -> None:
    push(engine, make_events(3))
    former = backend_id()

    response = resetter.post(store_url("reset"), {"typed": typed})

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert (backend_id(), Store.objects.get().event_count) == (former, 3)
    assert not LogEntry.objects.exists()


@everywhere
def test_a_form_that_is_sent_twice_resets_once(engine: DatabaseEngine, resetter: Client) -> None:
    push(engine, make_events(3))
    form = {"typed": STORE, "backend_id": backend_id()}

    resetter.post(store_url("reset"), form)
    once = backend_id()
    again = resetter.post(store_url("reset"), form)

    assert f'value="{once}"' not in again.content.decode()
    assert "This store has been reset since you opened this page." in again.content.decode()
    assert backend_id() == once


@pytest.mark.parametrize("permissions", [(), ("view_store",), ("reset_store",)])
def test_who_lacks_a_permission_cannot(
    engine: DatabaseEngine, make_staff: MakeStaff, permissions: tuple[str, ...]
) -> None:
    push(engine, make_events(3))
    former = backend_id()
    client = make_staff(*permissions)

    assert client.get(store_url("reset")).status_code == 403
    assert client.post(store_url("reset"), {"typed": STORE}).status_code == 403

    assert backend_id() == former


def test_a_form_of_another_page_cannot(engine: DatabaseEngine, make_staff: MakeStaff) -> None:
    push(engine, make_events(3))
    former = backend_id()
    client = make_staff("view_store", "reset_store", enforce_csrf_checks=True)
    url = store_url("reset")
    token = client.get(url).context["csrf_token"]
    with_token = {"typed": STORE, "csrfmiddlewaretoken": str(token)}

    assert client.post(url, {"typed": STORE}).status_code == 403
    for origin in ("https://evil.example", "null"):
        assert client.post(url, with_token, headers={"origin": origin}).status_code == 403
    assert backend_id() == former

    own = {"origin": "http://testserver"}
    assert client.post(url, with_token, headers=own).status_code == 302
    assert backend_id() != former


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_no_other_method_resets(engine: DatabaseEngine, resetter: Client, method: str) -> None:
    push(engine, make_events(3))
    former = backend_id()

    assert getattr(resetter, method)(store_url("reset")).status_code == 405
    query = f"?typed={STORE}&_method=POST"
    resetter.get(store_url("reset") + query, headers={"x-http-method-override": "POST"})

    assert backend_id() == former


def test_a_database_that_does_not_answer_is_told(
    engine: DatabaseEngine, resetter: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise StorageUnavailableError

    push(engine, make_events(3))
    monkeypatch.setattr(DatabaseEngine, "reset", fail)

    response = resetter.post(store_url("reset"), {"typed": STORE}, follow=True)

    assert "The database did not answer." in response.content.decode()
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True, databases=["default"])
@pytest.mark.usefixtures("services", "_request_thread")
async def test_every_live_pull_ends_at_once(engine: DatabaseEngine, settings: Settings) -> None:
    settings.LIVESYNC = {"hooks": "livesync.hooks.OpenHooks"}
    readers = get_readers()
    await readers.run(push, engine, make_events(2))
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate_superuser("root"))
    async with OpenPull(STORE) as one, OpenPull(STORE) as two:
        old = (await one.chunk())["backendId"]
        await two.chunk()
        url = await readers.run(store_url, "reset")

        response = await client.post(url, {"typed": STORE})
        ends = [await one.end(), await two.end()]

    new = await readers.run(backend_id)
    assert response.status_code == 302
    assert ends == [{"_tag": "BackendIdMismatchError", "expected": new, "received": old}] * 2
