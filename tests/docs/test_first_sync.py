"""The README's first sync: its app in Node and in a page, against a served site."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.browser import Browser
from tests.docs.notes_app import Script, ViteServer, bundle, make_app
from tests.docs.pages import ROOT, page
from tests.docs.shell import commands
from tests.site_process import SiteProcess

README = page("README.md")
ADDRESS = "localhost:8000"
PACKAGE = json.loads((ROOT / "tests" / "e2e" / "package.json").read_text())


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess() as site:
        yield site


def test_make_run_and_make_test_are_the_two_commands() -> None:
    (block, *_) = README.blocks_in("sh")

    assert block.text.splitlines() == ["make run", "make test"]


def test_make_run_serves_keeps_the_data_and_prints_the_password_once(tmp_path: Path) -> None:
    venv = sys.prefix  # installed already, by whoever runs this
    site = SiteProcess(
        data_directory=tmp_path / "data",
        command=(
            "make",
            f"--directory={ROOT}",
            f"VENV={venv}",
            f"--old-file={venv}/.runtime",
            "run",
        ),
    )

    with site:
        site.restart()

        assert site.log.count("the admin user is admin, password ") == 1
        assert site.log.count(f"data   {site.data_directory}") == 2


def test_the_versions_are_those_that_the_tests_install() -> None:
    (line,) = (c.words for c in commands() if str(c).startswith("README.md: npm install"))
    wanted = dict(word.rsplit("@", 1) for word in line if "@" in word)
    installed = {**PACKAGE["dependencies"], **PACKAGE["devDependencies"]}

    peers = wanted.pop("@livestore/peer-deps")

    assert peers == wanted["@livestore/livestore"]
    assert [name for name in wanted if not installed[name].startswith(wanted[name])] == []


def test_two_scripts_show_each_others_notes(
    site: SiteProcess, tmp_path: Path, npm_packages: None
) -> None:
    app = make_app(tmp_path / "app", README.blocks, {ADDRESS: _address(site)})
    shown, adding = _lines("node ")

    with Script(app, *shown) as first, Script(app, *adding) as second:
        first.wait_for("buy milk")
        second.wait_for("buy milk")


def test_the_scripts_of_the_page_import_what_there_is(tmp_path: Path, npm_packages: None) -> None:
    app = make_app(tmp_path / "app", README.blocks, {})

    script = bundle(app, "main.js", "livestore.worker.js")

    assert f"ws://{ADDRESS}" in script
    assert "./livestore.worker.js?worker" in script
    assert '<script type="module" src="/main.js">' in README.block("index.html").text


def test_a_page_and_a_script_show_each_others_notes(
    site: SiteProcess, browser: Browser, npm_packages: None
) -> None:
    vite = ViteServer()
    app = make_app(vite.app, README.blocks, {ADDRESS: _address(site)})
    _, adding = _lines("node ")

    with vite, browser.open(f"http://localhost:{vite.port}/") as tab, Script(app, *adding) as node:
        tab.wait_for("document.querySelector('pre')?.textContent === 'buy milk'")
        tab.run("document.querySelector('input').value = 'from the page'")
        tab.run("document.querySelector('button').click()")
        node.wait_for("from the page")


def _lines(start: str) -> list[list[str]]:
    return [
        shlex.split(line)
        for block in README.blocks_in("sh")
        for line in block.text.splitlines()
        if line.startswith(start)
    ]


def _address(site: SiteProcess) -> str:
    return re.sub(r"^ws://", "", site.ws_url)
