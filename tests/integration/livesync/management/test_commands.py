"""What an operator sees of stores in a shell."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from livesync.management.commands import move_store as move_command
from livesync.management.commands import reset_store as reset_command
from livesync.services import purge
from livesync.storage import get_engine, move
from livesync.storage.database import DatabaseEngine
from tests.factories import make_events
from tests.moving_files import VECTORS
from tests.storage import ALIAS, STORE, execute, find, numbers, push

WEIRD = "a\u202eb"
SHOWN = r"a\u{202e}b"


def run(*arguments: str) -> str:
    """What the command prints."""
    printed = StringIO()
    call_command(*arguments, stdout=printed)
    return printed.getvalue()


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("builtins.input", lambda _: text)


def backend_id(engine: DatabaseEngine, store_id: str = STORE) -> str:
    return engine.states([store_id])[store_id].backend_id


@pytest.mark.parametrize("command", ["inspect_store", "verify_store", "reset_store"])
@pytest.mark.usefixtures("engine")
def test_a_store_that_does_not_exist_is_an_error(command: str) -> None:
    with pytest.raises(CommandError, match="there is no store 'missing'"):
        run(command, "missing")


class TestMoving:
    def test_a_store_goes_out_and_comes_back(self, engine: DatabaseEngine, tmp_path: Path) -> None:
        push(engine, make_events(3), to=WEIRD)
        file = str(tmp_path / "file")

        gone = run("export_store", WEIRD, file, "--format", "ndjson")
        tried = run("import_store", file, "--to", "copy", "--dry-run")
        come = run("import_store", file, "--to", "copy")

        assert gone.startswith(f"3 events of store {SHOWN} are in {file}: head 3, backend id ")
        assert tried == come.replace(" got ", " would get ")
        assert numbers(engine, "copy") == [1, 2, 3]

    @pytest.mark.usefixtures("engine")
    def test_what_stands_against_it_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path)

        with pytest.raises(CommandError, match="link is a symbolic link"):
            run("import_store", str(tmp_path / "link"))
        with pytest.raises(CommandError, match="there is no store 'missing'"):
            run("export_store", "missing", str(tmp_path / "file"))
        assert [found.name for found in tmp_path.iterdir()] == ["link"]

    @pytest.mark.parametrize("command", ["export_store", "reset_store"])
    def test_a_store_that_is_still_on_its_way_is_said_to_be(
        self, engine: DatabaseEngine, tmp_path: Path, command: str
    ) -> None:
        engine.begin_adoption(STORE, "V1StGXR8_Z5jdHi6B-myT")
        more = {"export_store": (str(tmp_path / "file"),), "reset_store": ("--yes",)}

        with pytest.raises(CommandError, match="still being brought here; try again"):
            run(command, STORE, *more.get(command, ()))

    @pytest.mark.usefixtures("engine")
    def test_what_has_to_be_known_is_said(self) -> None:
        options = ("--context", str(VECTORS / "notes-2026.sqlite"))

        printed = run("import_store", str(VECTORS / "d1.sqlite"), "notes-2026", *options)

        assert printed.startswith("note: in D1 the table eventlog_7_notes_2026 is shared")


class TestInspect:
    def test_shows_where_the_store_stands(self, engine: DatabaseEngine) -> None:
        push(engine, make_events(1_200), to=WEIRD)

        lines = dict(line.split(":", 1) for line in run("inspect_store", WEIRD).splitlines())

        assert lines["store"].strip() == SHOWN
        assert lines["head"].strip() == "1200"
        assert lines["events"].strip() == "1,200"
        assert lines["bytes"].strip() == "25,200 (24.6 KB)"
        assert lines["backend id"].strip() == backend_id(engine, WEIRD)
        assert lines["generation"].strip() == "1 (0 resets)"
        assert lines["awaiting deletion"].strip() == "0 events of before a reset"

    def test_gives_json_to_programs(self, engine: DatabaseEngine) -> None:
        push(engine, make_events(3))
        done = engine.reset(STORE)

        answer: dict[str, Any] = json.loads(run("inspect_store", STORE, "--json"))

        assert answer.pop("created_at").endswith("+00:00")
        assert answer == {
            "store_id": STORE,
            "place": "database",
            "backend_id": done.backend_id,
            "generation": 2,
            "head": 0,
            "event_count": 0,
            "byte_count": 0,
            "last_push_at": None,
            "ended_events": 3,
        }


class TestVerify:
    def test_says_that_nothing_was_found(self, engine: DatabaseEngine) -> None:
        push(engine, make_events(3))

        assert run("verify_store", STORE) == "1 store verified, nothing found\n"

    def test_tells_each_finding_and_fails(self, engine: DatabaseEngine) -> None:
        push(engine, make_events(3), to=WEIRD)
        execute(connections[ALIAS], "DELETE FROM livesync_storedevent WHERE seq_num = 2")
        printed = StringIO()

        with pytest.raises(CommandError, match="4 findings in 1 store"):
            call_command("verify_store", WEIRD, stdout=printed)

        lines = printed.getvalue().splitlines()
        assert lines[0] == rf"{SHOWN}: event 3 continues 2, but follows 1"
        assert lines[-1] == rf"{SHOWN}: the byte count is 63, but the events make it 42"

    def test_goes_through_all_stores(self, engine: DatabaseEngine) -> None:
        for store_id in ("a", "b", "c"):
            push(engine, make_events(2), to=store_id)
        assert run("verify_store", "--all") == "3 stores verified, nothing found\n"

        execute(connections[ALIAS], "UPDATE livesync_store SET head = 9 WHERE store_id <> %s", "b")

        with pytest.raises(CommandError, match="2 findings in 3 stores"):
            run("verify_store", "--all")

    @pytest.mark.parametrize("arguments", [[], ["a", "--all"]])
    def test_wants_one_store_or_all(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError):
            run("verify_store", *arguments)


class TestReset:
    def test_ends_the_history_and_deletes_it(self, engine: DatabaseEngine) -> None:
        push(engine, make_events(3))
        former = backend_id(engine)

        printed = run("reset_store", STORE, "--yes")

        assert backend_id(engine) != former
        assert printed.splitlines() == [
            f"store {STORE} is now backend {backend_id(engine)}",
            "deleted 3 old events",
        ]
        assert find("SELECT count(*) FROM livesync_storedevent") == [(0,)]

    @pytest.mark.parametrize("typed", [WEIRD, SHOWN])
    def test_asks_for_the_store_id(
        self, engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch, typed: str
    ) -> None:
        push(engine, make_events(3), to=WEIRD)
        former = backend_id(engine, WEIRD)
        type_in(monkeypatch, typed)

        printed = run("reset_store", WEIRD)

        assert printed.startswith(f"This deletes 3 events of store {SHOWN}")
        assert backend_id(engine, WEIRD) != former

    def test_does_nothing_when_something_else_is_typed(
        self, engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(engine, make_events(3))
        former = backend_id(engine)
        type_in(monkeypatch, "yes")

        with pytest.raises(CommandError, match="nothing was changed"):
            run("reset_store", STORE)

        assert (backend_id(engine), numbers(engine)) == (former, [1, 2, 3])

    def test_does_nothing_when_nobody_is_there(
        self, engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(engine, make_events(3))
        former = backend_id(engine)
        monkeypatch.setattr("sys.stdin", StringIO())

        with pytest.raises(CommandError, match="nobody is there"):
            run("reset_store", STORE)

        assert backend_id(engine) == former

    def test_tells_how_far_it_came(
        self, engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(purge, "PURGE_EVENTS", 2)
        monkeypatch.setattr(reset_command, "_PROGRESS_EVERY_S", -1.0)
        push(engine, make_events(5))

        printed = run("reset_store", STORE, "--yes")

        assert printed.splitlines()[1:] == [
            "deleted 2 old events so far",
            "deleted 4 old events so far",
            "deleted 5 old events so far",
            "deleted 5 old events",
        ]

    def test_an_interrupted_clean_up_leaves_a_reset_store(
        self, engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: Any, **__: Any) -> int:
            raise KeyboardInterrupt

        push(engine, make_events(5))
        former = backend_id(engine)
        monkeypatch.setattr(DatabaseEngine, "purge", interrupt)

        with pytest.raises(CommandError, match="the server deletes the rest"):
            run("reset_store", STORE, "--yes")

        assert backend_id(engine) != former


class TestMove:
    @pytest.fixture(autouse=True)
    def _routed(self, engine: DatabaseEngine, settings: Settings, tmp_path: Path) -> None:
        settings.LIVESYNC = {**settings.LIVESYNC, "files_directory": str(tmp_path / "stores")}
        get_engine.cache_clear()

    def test_moves_to_files_and_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(move, "SLICE_EVENTS", 2)
        monkeypatch.setattr(move_command, "_PROGRESS_EVERY_S", -1.0)
        push(get_engine(), make_events(5), to=WEIRD)

        there = run("move_store", WEIRD, "--to", "files")
        back = run("move_store", WEIRD, "--to", "database")

        progress = ["copied 2 events so far", "copied 4 events so far"]
        assert there.splitlines() == [*progress, f"store {SHOWN} is kept in files: 5 events"]
        assert back.splitlines() == [*progress, f"store {SHOWN} is kept in database: 5 events"]
        assert numbers(get_engine(), WEIRD) == [1, 2, 3, 4, 5]
        assert find("SELECT count(*) FROM livesync_storedevent") == [(5,)]

    def test_a_store_that_does_not_exist_is_an_error(self) -> None:
        with pytest.raises(CommandError, match="there is no store 'missing'"):
            run("move_store", "missing", "--to", "files")
