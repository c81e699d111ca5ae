"""docs/commands.md shows what the commands print."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from django.core.management import find_commands

from tests.docs import sync_http
from tests.docs.pages import ROOT, named_in, page, rows
from tests.docs.sync_http import event, push
from tests.processes import wait_until
from tests.site_process import SiteProcess

PAGE = page("docs/commands.md")
EXAMPLES = [
    re.fullmatch(r"\$ \.venv/bin/python manage\.py (.*?)\n(.*)", block.text, re.DOTALL)
    for block in PAGE.blocks_in("console")
]
MARK = "---- the next command ----"
MASKS = {
    r"(?<![\w-])[\w-]{21}(?![\w-])": "<backend id>",
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?": "<time>",
    r"(chat|store)_[\w-]{43}": "<token>",
    r"127\.0\.0\.1:\d+": "<address>",
    r"(?<=data   ).*": "<directory>",
    r"(?<=password )\S+": "<password>",
}


@pytest.fixture(scope="module")
def site_with_a_note() -> Iterator[SiteProcess]:
    with SiteProcess() as site:
        note = event(1, args={"id": "a", "text": "buy milk"})
        url = f"{site.http_url}{sync_http.url('notes')}"
        httpx.post(url, json=push("notes", note)).raise_for_status()
        yield site


def test_every_command_of_the_project_is_there() -> None:
    documented = {name for row in rows(PAGE.text) for name in named_in(row[0])}
    ours = {
        name
        for app in ("livesync", "chatstate", "syncsite")
        for name in find_commands(str(ROOT / app / "management"))
    }

    assert documented == ours


def test_what_serve_prints(site_with_a_note: SiteProcess) -> None:
    (expected,) = (found[2] for found in EXAMPLES if found and found[1] == "serve")

    wait_until(
        lambda: _masked(site_with_a_note.log).startswith(_masked(expected)),
        what=f"a log that begins with\n{_masked(expected)}",
    )


def test_what_the_other_commands_print(site_with_a_note: SiteProcess, tmp_path: Path) -> None:
    examples = {found[1]: found[2] for found in EXAMPLES if found and found[1] != "serve"}

    printed = _print_all(site_with_a_note, list(examples), tmp_path)

    assert len(printed) >= 5
    for text, expected in zip(printed, examples.values(), strict=True):
        assert _masked(text) == _masked(expected)


def _print_all(site: SiteProcess, commands: Sequence[str], directory: Path) -> list[str]:
    """What each command prints; all of them in one process, as each takes a second to start."""
    words = [shlex.split(command) for command in commands]
    script = f"""
from django.core.management import call_command
for words in {words}:
    print({MARK!r})
    call_command(*words)
"""
    printed = site.manage("shell", "--no-imports", "--command", script, directory=directory)
    return printed.split(f"{MARK}\n")[1:]


def _masked(text: str) -> str:
    for pattern, name in MASKS.items():
        text = re.sub(pattern, name, text)
    return text
