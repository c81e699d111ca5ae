"""Bring stores here from files, and back: what clients know of them stays as it was."""

from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from groundwork.connections import InsideTransactionError
from livesync.models import Place
from livesync.moving.errors import FileRefusedError
from livesync.protocol.errors import StoreArrivingError
from livesync.services import importing
from livesync.services.exporting import FORMATS, HistoryEndedError, export_store
from livesync.services.import_target import ImportRefusedError, ImportRequest
from livesync.services.importing import Imported, import_store
from livesync.services.stores import reset_store
from livesync.services.verify import verify_store
from livesync.storage.database import DatabaseEngine
from tests.factories import make_chain, make_event, make_events
from tests.moving_files import (
    BACKEND_ID,
    STORE,
    TIME,
    VECTORS,
    change,
    dump_of,
    events_in,
    timed,
    write_cli_json,
    write_durable_object,
    write_ndjson,
)
from tests.storage import details, numbers, push, read, stored_events

EVENTS = [
    make_event(1, args=None),
    make_event(2, args="null"),
    make_event(20_000, parent=2, args='{"a":"\\ud83d \\u0000 ü😀"}'),
]


PLACES = {"sqlite": Place.DATABASE, "postgresql": Place.DATABASE, "files": Place.FILES}


@pytest.fixture(params=PLACES)
def vendor(request: pytest.FixtureRequest) -> str:
    """All of it holds wherever stores are kept."""
    return str(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_durable_object(tmp_path / "file", EVENTS)


def bring(path: Path, **options: Any) -> Imported:
    is_dry_run = options.pop("is_dry_run", False)
    return import_store(ImportRequest(path, **options), is_dry_run=is_dry_run)


def state(engine: DatabaseEngine) -> Any:
    return engine.inspect(STORE)


def test_a_store_keeps_its_identity_its_numbers_and_its_times(
    engine: DatabaseEngine, file: Path
) -> None:
    done = bring(file)

    found = read(engine, store_id=STORE)
    assert (found.state.backend_id, found.state.head) == (BACKEND_ID, 20_000)
    assert [event["args"] for event in stored_events(engine, STORE)] == [e.args for e in EVENTS]
    assert all(f'"createdAt":"{TIME}"' in item for item in found.events)
    assert done[:5] == (STORE, BACKEND_ID, 20_000, 3, 3)
    assert list(verify_store(STORE)) == []
    push(engine, make_events(1, after=20_000), to=STORE, backend_id=BACKEND_ID)


def test_a_dry_run_checks_everything_and_changes_nothing(
    engine: DatabaseEngine, file: Path
) -> None:
    done = bring(file, is_dry_run=True)

    assert done.added == 3
    assert state(engine) is None


def test_a_store_may_get_another_id_here(engine: DatabaseEngine, file: Path) -> None:
    bring(file, target="a-b ü")

    assert numbers(engine, "a-b ü") == [1, 2, 20_000]


@pytest.mark.parametrize("target", ["", "a\nb", "x" * 513])
def test_an_id_that_no_url_can_name_is_refused(
    engine: DatabaseEngine, file: Path, target: str
) -> None:
    with pytest.raises((ImportRefusedError, FileRefusedError)):
        bring(file, store_id=STORE if target else "", target=target)

    assert engine.store_ids(after="", max_stores=10) == []


@pytest.mark.usefixtures("engine")
def test_a_file_of_another_store_is_refused(tmp_path: Path) -> None:
    path = write_ndjson(tmp_path / "file", make_events(1))

    with pytest.raises(FileRefusedError, match="it is of store notes, not of other; --to"):
        bring(path, store_id="other")


def test_a_history_without_identity_needs_one(engine: DatabaseEngine, tmp_path: Path) -> None:
    path = write_cli_json(tmp_path / "file", make_events(2))

    with pytest.raises(ImportRefusedError, match="nobody says which backend id"):
        bring(path)
    with pytest.raises(ImportRefusedError, match="is no backend id"):
        bring(path, backend_id="no id")
    bring(path, backend_id=BACKEND_ID)

    assert state(engine).backend_id == BACKEND_ID


def test_a_new_identity_is_given_only_if_that_is_asked_for(
    engine: DatabaseEngine, tmp_path: Path
) -> None:
    path = write_cli_json(tmp_path / "file", make_events(2))

    done = bring(path, is_new_history=True)

    assert state(engine).backend_id == done.backend_id
    assert bring(path, is_new_history=True).added == 0


@pytest.mark.usefixtures("engine")
def test_an_identity_that_contradicts_the_file_is_refused(file: Path) -> None:
    with pytest.raises(ImportRefusedError, match=f"its backend id is {BACKEND_ID}"):
        bring(file, backend_id="x" * 21)


def test_a_store_in_d1_gets_its_identity_from_its_durable_object(engine: DatabaseEngine) -> None:
    told: list[str] = []
    for name in ("d1.sqlite", "d1.sql"):
        request = ImportRequest(
            VECTORS / name,
            store_id="notes-2026",
            target=name,
            context=VECTORS / "notes-2026.sqlite",
        )
        import_store(request, tell=told.append)

        found = engine.inspect(name)
        assert found is not None
        assert (found.backend_id, found.head) == ("BFJSlaEE7SH3Y-o1WcgTC", 5)
    assert ["in punctuation only" in note for note in told] == [True, True]


def test_a_store_whose_table_others_have_filled_is_refused(engine: DatabaseEngine) -> None:
    options = {"store_id": "notes_2026", "context": VECTORS / "notes_2026.sqlite"}

    with pytest.raises(FileRefusedError, match="its server knows of 0 only"):
        bring(VECTORS / "d1.sqlite", **options)
    refused = engine.inspect("notes_2026")
    bring(VECTORS / "d1.sqlite", beyond_head=True, **options)

    assert refused is None
    assert numbers(engine, "notes_2026") == [1, 2, 3, 4, 5]


def test_a_file_that_lacks_what_its_server_knew_is_refused(
    engine: DatabaseEngine, tmp_path: Path
) -> None:
    path = write_durable_object(tmp_path / "file", make_events(3), head=5)

    with pytest.raises(FileRefusedError, match="knows of 5: some are missing"):
        bring(path)

    assert state(engine) is None


@pytest.mark.parametrize("when", ["new", "empty", "continued"])
def test_a_broken_file_changes_nothing(
    engine: DatabaseEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(importing, "SLICE_EVENTS", 2)
    if when == "empty":
        push(engine, [], to=STORE)
    elif when == "continued":
        bring(write_durable_object(tmp_path / "first", make_events(3)))
    before = state(engine)
    broken = [*make_events(7), make_event(9)]

    with pytest.raises(FileRefusedError, match="row 8 of eventlog_7_notes: event 9 has parent 8"):
        bring(write_durable_object(tmp_path / "file", broken))

    assert state(engine) == before


@pytest.fixture
def cut_off(
    engine: DatabaseEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DatabaseEngine:
    """An import that ended after four of seven events, as if it had been killed."""
    monkeypatch.setattr(importing, "SLICE_EVENTS", 2)
    path = write_durable_object(tmp_path / "all", make_events(7))
    calls: list[int] = []

    def stop(count: int, share: float) -> None:
        calls.append(count)
        if count == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_store(ImportRequest(path), progress=stop)
    assert calls == [2, 4]
    return engine


def test_what_is_on_its_way_is_served_to_nobody(cut_off: DatabaseEngine) -> None:
    with pytest.raises(StoreArrivingError):
        cut_off.read(STORE, 0, max_events=1, max_bytes=1)
    with pytest.raises(StoreArrivingError):
        push(cut_off, make_events(1, after=4), to=STORE)


def test_an_import_that_was_cut_off_goes_on(cut_off: DatabaseEngine, tmp_path: Path) -> None:
    counts: list[int] = []

    done = import_store(
        ImportRequest(tmp_path / "all"), progress=lambda count, share: counts.append(count)
    )

    assert done.added == 3
    assert counts == [4, 6, 7]
    assert numbers(cut_off, STORE) == [1, 2, 3, 4, 5, 6, 7]
    assert list(verify_store(STORE)) == []


def test_an_import_goes_on_only_with_the_same_events(
    cut_off: DatabaseEngine, tmp_path: Path
) -> None:
    other = write_durable_object(tmp_path / "other", make_events(7, name="other"))
    short = write_durable_object(tmp_path / "short", make_events(3))

    with pytest.raises(ImportRefusedError, match=r"event 1 of the file is not .* --restart"):
        bring(other)
    with pytest.raises(ImportRefusedError, match=r"event 4 .* the file ends before; --restart"):
        bring(short)
    kept = state(cut_off).event_count
    bring(other, restart=True)

    assert kept == 4
    assert [e["name"] for e in stored_events(cut_off, STORE)] == ["other"] * 7


def test_an_import_goes_on_only_with_the_same_identity(
    cut_off: DatabaseEngine, tmp_path: Path
) -> None:
    other = write_durable_object(tmp_path / "other", make_events(7), backend_id="x" * 21)

    with pytest.raises(ImportRefusedError, match=r"had the backend id V1.*--restart"):
        bring(other)
    bring(other, restart=True)

    assert state(cut_off).backend_id == "x" * 21


def test_what_came_later_is_added(engine: DatabaseEngine, file: Path, tmp_path: Path) -> None:
    bring(file)
    later = [*EVENTS, *make_chain(20_001, 20_005, after=20_000)]

    done = bring(write_durable_object(tmp_path / "later", later))
    again = bring(file.with_name("later"))

    assert (done.added, again.added) == (2, 0)
    assert numbers(engine, STORE) == [1, 2, 20_000, 20_001, 20_005]
    assert list(verify_store(STORE)) == []


def test_events_are_compared_with_their_times_if_the_file_says_them(
    engine: DatabaseEngine, file: Path, tmp_path: Path
) -> None:
    bring(file)
    written = write_cli_json(tmp_path / "json", EVENTS[:2], exportedAt="2027-01-01T00:00:00.000Z")
    changed = change(file, "UPDATE eventlog_7_notes SET createdAt = '2027-01-01T00:00:00.000Z'")
    bring(write_durable_object(tmp_path / "two", EVENTS[:2]), target="two")

    assert bring(written, target="two", backend_id=BACKEND_ID).added == 0
    with pytest.raises(ImportRefusedError, match="event 1 of the file is not event 1"):
        bring(changed)


@pytest.mark.parametrize(
    ("events", "backend_id", "message"),
    [
        (EVENTS, "x" * 21, "has another history here"),
        ([make_event(1, args="[]"), *EVENTS[1:]], BACKEND_ID, "event 1 of the file is not event 1"),
        (EVENTS[:2], BACKEND_ID, "has event 20000, but the file ends before"),
    ],
)
def test_a_store_with_other_events_is_left_alone(
    engine: DatabaseEngine,
    file: Path,
    tmp_path: Path,
    events: Any,
    backend_id: str,
    message: str,
) -> None:
    bring(file)
    before = state(engine)

    with pytest.raises(ImportRefusedError, match=message):
        bring(write_durable_object(tmp_path / "other", events, backend_id=backend_id))

    assert state(engine) == before


def test_a_store_without_events_takes_the_history_and_its_identity(
    engine: DatabaseEngine, file: Path
) -> None:
    push(engine, [], to=STORE)

    bring(file)

    assert (state(engine).backend_id, state(engine).head) == (BACKEND_ID, 20_000)


def test_an_empty_history_is_a_history(engine: DatabaseEngine, tmp_path: Path) -> None:
    bring(write_durable_object(tmp_path / "file", []))

    assert (state(engine).backend_id, state(engine).head) == (BACKEND_ID, 0)


@pytest.mark.usefixtures("engine")
def test_inside_a_transaction_it_is_refused(file: Path) -> None:
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError):
        bring(file)


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_exported_can_be_imported(
    engine: DatabaseEngine, vendor: str, tmp_path: Path, file: Path, format_name: str
) -> None:
    bring(file)

    done = export_store(STORE, tmp_path / "out", format_name=format_name)
    bring(tmp_path / "out", target="copy")

    assert {details(engine, name).place for name in (STORE, "copy")} == {PLACES[vendor]}
    assert done == (STORE, BACKEND_ID, 20_000, 3)
    assert events_in(tmp_path / "out") == timed(EVENTS)
    assert read(engine, store_id="copy") == read(engine, store_id=STORE)


def test_pushes_that_come_meanwhile_are_left_out(
    engine: DatabaseEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livesync.services.exporting._SLICE_EVENTS", 2)
    push(engine, make_events(5), to=STORE)

    def meanwhile(count: int, share: float) -> None:
        push(engine, make_events(1, after=state(engine).head), to=STORE)

    done = export_store(STORE, tmp_path / "out", format_name="ndjson", progress=meanwhile)

    assert done.event_count == 5
    assert [event.seq_num for event, _ in events_in(tmp_path / "out")] == [1, 2, 3, 4, 5]


def test_a_reset_meanwhile_ends_the_export_without_a_file(
    engine: DatabaseEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livesync.services.exporting._SLICE_EVENTS", 2)
    push(engine, make_events(5), to=STORE)
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(HistoryEndedError, match="was reset meanwhile"):
        export_store(
            STORE, out / "file", format_name="json", progress=lambda *_: reset_store(STORE)
        )

    assert list(out.iterdir()) == []


def test_a_dump_needs_to_be_told_its_identity(engine: DatabaseEngine, tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(dump_of(EVENTS))

    bring(path, store_id=STORE, backend_id=BACKEND_ID)

    assert numbers(engine, STORE) == [1, 2, 20_000]
