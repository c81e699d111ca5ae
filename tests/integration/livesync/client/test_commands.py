"""``tail_store`` and ``push_event``, on the database of this process and on a served site."""

import json
import subprocess
import sys
import threading
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from groundwork.visible_text import visible
from livesync.client import Client, Draft
from livesync.management.event_lines import json_line, text_line
from livesync.protocol.answers import PulledEvent
from livesync.services.stores import reset_store
from livesync.storage.database import DatabaseEngine
from tests.processes import wait_until
from tests.site_process import MANAGE, SiteProcess

NOW = "2026-01-31T12:00:00.000Z"
ESCAPE = "\x1b[2J\u202e\x9b"


@pytest.fixture(params=["in-process", "ws", "http"])
def where(request: pytest.FixtureRequest, site: SiteProcess, engine: DatabaseEngine) -> list[str]:
    """The options that say where the store is."""
    urls = {"ws": site.ws_url, "http": site.http_url}
    return ["--url", urls[request.param]] if request.param in urls else []


def run(*arguments: str, **options: Any) -> str:
    """What the command prints."""
    printed = StringIO()
    call_command(*arguments, stdout=printed, **options)
    return printed.getvalue()


def event(**members: Any) -> PulledEvent:
    values: dict[str, Any] = {
        "name": "noted",
        "args": '{"n": 1.0}',
        "seq_num": 7,
        "parent_seq_num": 4,
        "client_id": "c",
        "session_id": "s",
        "backend_id": "b",
        "created_at": NOW,
    }
    return PulledEvent(**values | members)


def test_what_is_pushed_is_shown(where: list[str], store_id: str) -> None:
    first = run("push_event", store_id, "noted", '{"text": "milk", "n": 1.0}', *where)
    second = run("push_event", store_id, "emptied", "--client-id", "me", "--after", "1", *where)
    text = run("tail_store", store_id, "--once", *where)
    (line,) = run("tail_store", store_id, "--once", "--json", "--after", "1", *where).splitlines()

    assert first == f"event 1 of store {store_id} is stored\n"
    assert second == f"event 2 of store {store_id} is stored\n"
    shown = [line.split() for line in text.splitlines()]
    assert [(columns[0], columns[3:]) for columns in shown] == [
        ("1", ["noted", '{"text":', '"milk",', '"n":', "1.0}"]),
        ("2", ["emptied"]),
    ]
    assert shown[1][2] == "me"
    members = json.loads(line)
    assert (members["seq_num"], members["name"], members["client_id"]) == (2, "emptied", "me")
    assert "args" not in members


def test_a_refused_push_is_a_readable_error(where: list[str], store_id: str) -> None:
    run("push_event", store_id, "noted", *where)

    with pytest.raises(CommandError, match="batch continues 0, but the head is 1"):
        run("push_event", store_id, "noted", "--after", "0", *where)
    with pytest.raises(CommandError, match="ARGS is no JSON"):
        run("push_event", store_id, "noted", "{nope", *where)
    with pytest.raises(CommandError, match="name has 2000 bytes, at most"):
        run("push_event", store_id, "x" * 2_000, *where)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tail_store", "missing"], "there is no store 'missing'"),
        (["tail_store", "notes", "--url", "localhost"], "--url must begin with ws://"),
        (["tail_store", "notes", "--url", "ws://x", "--payload", "{"], "--payload is no JSON"),
        (["push_event", "notes", "x", "--header", "nope"], "--header needs a name and a value"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)


def test_payload_and_headers_are_sent(site: SiteProcess, store_id: str) -> None:
    options = ["--url", site.ws_url, "--payload", '{"authToken": "x"}', "--header", "a: b:c"]

    assert "event 1" in run("push_event", store_id, "noted", *options)


def test_it_stays_and_shows_what_comes_and_that_the_store_was_reset(
    engine: DatabaseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, told = StringIO(), StringIO()
    clients: list[Client] = []
    make = Client.__init__

    def remember(client: Client, *args: Any, **options: Any) -> None:
        make(client, *args, **options)
        clients.append(client)

    with Client("notes") as writer:
        writer.push([("before",)])
        monkeypatch.setattr(Client, "__init__", remember)
        tail = threading.Thread(target=_tail, args=(printed, told))
        tail.start()
        wait_until(lambda: "before" in printed.getvalue(), what="the stored event")
        writer.push([("live",)])
        wait_until(lambda: "live" in printed.getvalue(), what="the live event")
        done = reset_store("notes")
        wait_until(lambda: done.backend_id in told.getvalue(), what="the news of the reset")
        writer.push([("after",)])
        wait_until(lambda: "after" in printed.getvalue(), what="the event of the new history")
        clients[0].close()
        tail.join()


def _tail(printed: StringIO, told: StringIO) -> None:
    with pytest.raises(CommandError, match="the client is closed"):
        call_command("tail_store", "notes", stdout=printed, stderr=told)


def test_a_reader_that_leaves_is_no_error(site: SiteProcess, store_id: str) -> None:
    with Client(store_id, site.ws_url) as client:
        client.push([Draft("noted", "x" * 1_000)] * 200)
    command = [sys.executable, str(MANAGE), "tail_store", store_id, "--once"]
    with subprocess.Popen(
        [*command, "--url", site.ws_url],
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert tail.stdout.readline().split()[0] == b"1"
        tail.stdout.close()

        assert tail.stderr.read() == b""
    assert tail.returncode == 0


@pytest.mark.parametrize("field", ["name", "client_id", "session_id", "created_at", "backend_id"])
def test_nothing_moves_the_cursor_of_the_terminal(field: str) -> None:
    hostile = event(**{field: ESCAPE})

    assert text_line(hostile).isprintable()
    assert json_line(hostile).isprintable()
    if field in ("name", "client_id", "created_at"):
        assert visible(ESCAPE) in text_line(hostile)


def test_args_are_shown_on_one_line_and_remain_what_they_are() -> None:
    args = '{"a":\n\t"\\u001b\x7f\x9b\u202e \\\\ é 👋🏽", "n": 1.0}'
    shown = text_line(event(args=args)).partition("noted  ")[2]

    assert shown.isprintable()
    assert json.loads(shown) == json.loads(args)
    assert "é 👋🏽" in shown
    assert "1.0" in shown
    assert json.loads(json_line(event(args=args)))["args"] == json.loads(args)


def test_an_event_without_args_or_instant() -> None:
    assert text_line(event(args=None, created_at=None)) == "     7  -  c  noted"
    assert json.loads(json_line(event(args="null")))["args"] is None
