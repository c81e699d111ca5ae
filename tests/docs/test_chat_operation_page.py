"""docs/chat-operation.md: its checks, its functions and its units are those of the code."""

import configparser
import inspect
import re
import shlex
from collections.abc import Sequence

import pytest
from django.core.management import load_command_class
from django.utils.module_loading import import_string

from chatstate import checks
from tests.docs.pages import ROOT, named_in, page, rows

PAGE = page("docs/chat-operation.md")


def test_every_check_has_a_row() -> None:
    documented = [row[0].strip("`") for row in rows(PAGE.section("Checks of chatstate"))]

    assert documented == sorted(
        set(re.findall(r'id="(chatstate\.\w+)"', inspect.getsource(checks)))
    )


def test_the_ready_made_functions_are_there() -> None:
    paths = [named_in(row[0])[0] for row in rows(PAGE.section("Shards"))]

    assert len(paths) == 4
    assert {import_string(path)("a place") for path in paths} == {"default"}


def test_every_passing_error_and_refusal_has_a_row() -> None:
    named = {name for row in rows(PAGE.section("Faults")) for name in named_in(row[0])}
    errors = (ROOT / "chatstate" / "protocol" / "errors.py").read_text()

    assert named == {"unauthorized", "forbidden", "busy", "unavailable", "frozen"}
    assert [name for name in named if f'code = "{name}"' not in errors] == []


@pytest.mark.parametrize("name", ["cleanup.service", "crontab"])
def test_what_a_machine_runs_by_itself_is_a_command(name: str) -> None:
    arguments = _command_of(name)

    parser = load_command_class("chatstate", "cleanup_expired").create_parser("manage.py", "x")
    assert parser.parse_args(arguments).max_seconds == 300


def test_the_timer_is_for_the_unit_of_the_server() -> None:
    service, server = _unit("cleanup.service"), page("docs/deployment.md")

    for key in ("User", "WorkingDirectory", "EnvironmentFile"):
        assert f"\n{key}={service['Service'][key]}\n" in server.block("syncsite.service").text
    assert _unit("cleanup.timer")["Timer"]["OnCalendar"] == "*:0/10"


def _command_of(name: str) -> Sequence[str]:
    """The arguments behind ``manage.py cleanup_expired``."""
    if name.endswith(".service"):
        line = _unit(name)["Service"]["ExecStart"]
    else:
        line = PAGE.block(name).text
    words = shlex.split(line)
    return words[words.index("cleanup_expired") + 1 :]


def _unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys have capitals
    parser.read_string(PAGE.block(name).text)
    return parser
