"""Every line of a shell example names what exists: variables, make targets, commands, files.

What such a line does is run by the tests of its page, where a machine like ours can run it.
"""

import re

import pytest
from django.core.management import get_commands, load_command_class

from tests.docs.pages import ROOT
from tests.docs.shell import Command, commands
from tests.docs.test_settings_page import READ_BY_OTHERS, read_variables

KNOWN_VARIABLES = read_variables() | READ_BY_OTHERS
ELSEWHERE = {
    # of the operating system, of PostgreSQL and of npm: not ours to check
    *("cd", "cp", "curl", "export", "git", "install", "journalctl", "mkdir", "node", "npm", "npx"),
    *("openssl", "pg_dump", "python", "python3", "python3.11", "set", ".", "systemctl", "useradd"),
    *(".venv/bin/daphne", ".venv/bin/pip", ".venv/bin/uvicorn"),
}


ALL = list(commands())


def test_there_are_examples() -> None:
    assert {"make", ".venv/bin/python"} <= {words[0] for _, _, words in ALL if words}


@pytest.mark.parametrize("command", ALL, ids=str)
def test_its_variables_are_known(command: Command) -> None:
    unknown = [
        name for name in command.variables if name.removesuffix("_FILE") not in KNOWN_VARIABLES
    ]

    assert unknown == []


@pytest.mark.parametrize("command", [c for c in ALL if c.words], ids=str)
def test_its_program_is_known(command: Command) -> None:
    match command.words:
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case [".venv/bin/python", "manage.py", name, *arguments]:
            _check_options(name, arguments)
        case [program, *_]:
            assert program in ELSEWHERE


@pytest.mark.parametrize("command", [c for c in ALL if "/" in " ".join(c.words)], ids=str)
def test_its_files_of_the_project_are_there(command: Command) -> None:
    named = [word for word in command.words if word.startswith(("syncsite/", "docs/"))]

    assert [name for name in named if not (ROOT / name).exists()] == []


def _check_options(name: str, arguments: list[str]) -> None:
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = command.create_parser("manage.py", name)
    # exits with a message, and so fails the test, when an option is unknown
    parser.parse_args(arguments)
