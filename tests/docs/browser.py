"""Chromium without a window, through its own debugging protocol."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.processes import DEADLINE_S, LOOPBACK, kill_family, wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

PAGE_DEADLINE_S = 240.0
"""Generous: in development Vite prepares a thousand modules before a page can start."""

LAN_NAME = "notes.lan"
"""A name that the browser takes for another machine, and that leads to this one."""


def find_browser() -> str | None:
    """The path of a Chromium on this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Tab:
    """One page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.console: list[str] = []
        """What the page, not its workers, has logged and thrown."""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        call_id = next(self._ids)
        self._socket.send(json.dumps({"id": call_id, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(DEADLINE_S))
            if message.get("id") == call_id:
                # an error instead: the page has moved on while the expression ran
                return dict(message.get("result", {"result": {}}))
            if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self.console.append(json.dumps(message["params"]))

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; None if it throws."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Return when a JavaScript expression is true."""
        try:
            _wait(lambda: self.run(expression) is True, what=expression)
        except TimeoutError as error:
            text = self.run("document.body.innerText")
            log = "\n".join(self.console)
            raise AssertionError(f"{error}; the page shows {text!r}, its log:\n{log}") from error

    def wait_for_log(self, text: str) -> None:
        """Return when the page has logged or thrown ``text``."""

        def is_logged() -> bool:
            self.run("0")  # takes in what was logged meanwhile
            return text in "".join(self.console)

        _wait(is_logged, what=f"{text!r} in the console")


_wait = partial(wait_until, deadline_s=PAGE_DEADLINE_S)


class Browser:
    """A Chromium with nothing in it. A context manager."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._profile = Path(tempfile.mkdtemp(prefix="chromium-"))

    def __enter__(self) -> "Browser":
        self._process = subprocess.Popen(
            [self._program, *self._options(), "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # the file is there before there is a line in it
        wait_until(lambda: self._port is not None, what="chromium ready")
        return self

    def __exit__(self, *_: object) -> None:
        kill_family(self._process)
        shutil.rmtree(self._profile, ignore_errors=True)

    @contextmanager
    def open(self, url: str) -> Iterator[Tab]:
        """Open a page in a tab of its own; it may still be loading."""
        request = urllib.request.Request(f"http://{LOOPBACK}:{self._port}/json/new", method="PUT")
        with urllib.request.urlopen(request) as answer:
            target = json.load(answer)
        with connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
            tab = Tab(socket)
            tab.call("Runtime.enable")
            tab.call("Page.navigate", url=url)
            try:
                yield tab
            finally:
                tab.call(
                    "Page.navigate", url="about:blank"
                )  # it would look for its server for ever

    @property
    def _port(self) -> str | None:
        file = self._profile / "DevToolsActivePort"
        if not file.exists():
            return None
        first, end, _ = file.read_text().partition("\n")
        return first if end else None

    def _options(self) -> list[str]:
        options = [
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            f"--user-data-dir={self._profile}",
            f"--host-resolver-rules=MAP {LAN_NAME} {LOOPBACK}",
            "--ignore-certificate-errors",
        ]
        # its sandbox refuses root
        return [*options, "--no-sandbox"] if os.geteuid() == 0 else options
