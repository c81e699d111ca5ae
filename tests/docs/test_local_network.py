"""docs/local-network.md: what works in a page that a phone would get, and what does not.

The browser asks for the pages by a name that it takes for another machine's.
"""

import re
from pathlib import Path

import httpx

from tests.docs import sync_http
from tests.docs.browser import LAN_NAME, Browser
from tests.docs.notes_app import ViteServer, bundle, make_app
from tests.docs.pages import page
from tests.docs.shell import commands
from tests.processes import wait_until
from tests.site_process import SiteProcess

README = page("README.md")
PAGE = page("docs/local-network.md")
ADDRESS = "localhost:8000"

IN_MEMORY = [*README.blocks, PAGE.block("main.js")]
BY_HTTPS = [*README.blocks, PAGE.block("vite.config.js"), PAGE.block("livestore.worker.js")]


def test_over_http_the_memory_works_and_the_storage_does_not(
    browser: Browser, npm_packages: None
) -> None:
    vite = ViteServer()
    url = f"http://{LAN_NAME}:{vite.port}/"

    with _site(SYNCSITE_EXPOSE="1") as site:
        make_app(vite.app, README.blocks, {})
        here = {"${location.hostname}:8000": _address(site), "/main.js": "/memory/main.js"}
        make_app(vite.app / "memory", IN_MEMORY, here)
        with vite:
            with browser.open(url) as tab:
                tab.wait_for_log("Browser not supported")
                assert tab.run("isSecureContext") is False
            _add_a_note(site, browser, f"{url}memory/")

    assert "Browser not supported" in PAGE.text


def test_over_https_the_storage_works(browser: Browser, npm_packages: None) -> None:
    vite = ViteServer()
    url = f"https://{LAN_NAME}:{vite.port}/"

    with _site(SYNCSITE_ALLOWED_ORIGINS=url.rstrip("/")) as site:
        make_app(vite.app, BY_HTTPS, {ADDRESS: _address(site)})
        with vite:
            _add_a_note(site, browser, url)


def test_the_scripts_import_what_there_is(tmp_path: Path, npm_packages: None) -> None:
    in_memory = make_app(tmp_path / "in-memory", IN_MEMORY, {})
    by_https = make_app(tmp_path / "by-https", BY_HTTPS, {})

    assert "ws://${location.hostname}:8000" in bundle(in_memory, "main.js")
    assert "${location.origin}/sync" in bundle(by_https, "livestore.worker.js")


def test_every_way_runs_the_site_with_the_variable_that_it_is_tested_with() -> None:
    lines = [command for command in commands() if command.page == PAGE and "make" in command.words]

    assert [command.variables for command in lines] == [
        ["SYNCSITE_EXPOSE"],
        ["SYNCSITE_ALLOWED_ORIGINS"],
        ["SYNCSITE_EXPOSE"],
    ]


def test_an_exposed_site_accepts_the_origin_that_a_native_app_sends() -> None:
    with _site(SYNCSITE_EXPOSE="1") as site:
        headers = {"host": LAN_NAME, "origin": f"http://{LAN_NAME}:{site.port}"}
        url = f"{site.http_url}{sync_http.url('notes')}"

        answer = httpx.post(url, json=sync_http.pull("notes"), headers=headers)

    assert sync_http.outcome(answer) == "Success"


def _add_a_note(site: SiteProcess, browser: Browser, url: str) -> None:
    """Let the page show a note that is on the server, and add one that gets there."""
    sync = f"{site.http_url}{sync_http.url('notes')}"
    note = sync_http.event(1, args={"id": "a", "text": "buy milk"})
    httpx.post(sync, json=sync_http.push("notes", note)).raise_for_status()

    with browser.open(url) as tab:
        tab.wait_for("document.querySelector('pre')?.textContent === 'buy milk'")
        tab.run("document.querySelector('input').value = 'from the phone'")
        tab.run("document.querySelector('button').click()")
        wait_until(
            lambda: "from the phone" in httpx.post(sync, json=sync_http.pull("notes")).text,
            what="the note on the server",
        )


def _site(**variables: str) -> SiteProcess:
    return SiteProcess(environment={"ALLOWED_HOSTS": LAN_NAME, **variables})


def _address(site: SiteProcess) -> str:
    return re.sub(r"^ws://", "", site.ws_url)
