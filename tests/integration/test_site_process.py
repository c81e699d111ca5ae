"""SiteProcess, tried on a small stand-in for the site."""

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ServerFailedError
from tests.site_process import SiteProcess

STAND_IN = """
import http.server, os, signal, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get(self.path.strip("/"), "").encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
worker = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("worker", worker.pid, flush=True)
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

COMMAND = (sys.executable, "-c", STAND_IN, "{host}", "{port}")


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(command=COMMAND, workers=2, environment={"EXTRA": "given"}) as site:
        yield site


def variable(site: SiteProcess, name: str) -> str:
    with urllib.request.urlopen(f"{site.http_url}/{name}", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def workers(site: SiteProcess) -> list[int]:
    """The workers of all lives."""
    return [int(line.split()[1]) for line in site.log.splitlines() if line.startswith("worker")]


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def test_the_site_gets_its_own_environment(
    site: SiteProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://of-the-tests")

    site.restart()

    assert variable(site, "PORT") == str(site.port)
    assert variable(site, "WORKERS") == "2"
    assert variable(site, "SYNCSITE_DATA") == str(site.data_directory)
    assert variable(site, "EXTRA") == "given"
    assert variable(site, "DATABASE_URL") == ""
    assert site.ws_url == f"ws://127.0.0.1:{site.port}"


def test_a_kill_takes_the_workers_along_and_the_port_stays(site: SiteProcess) -> None:
    port = site.port

    site.kill()

    assert not site.running
    assert not any(is_alive(worker) for worker in workers(site))
    site.start()
    assert site.port == port
    assert len(workers(site)) == 2


def test_terminate_gives_the_exit_code_and_leaves_no_worker(site: SiteProcess) -> None:
    assert site.terminate() == 7

    assert not any(is_alive(worker) for worker in workers(site))


def test_a_given_data_directory_outlives_the_site(tmp_path: Path) -> None:
    with SiteProcess(command=COMMAND, data_directory=tmp_path / "data") as site:
        (site.data_directory / "file").touch()

    assert (tmp_path / "data" / "file").exists()
    assert not site.directory.exists()


def test_a_site_that_cannot_start_shows_its_log() -> None:
    site = SiteProcess(command=(sys.executable, "-c", "raise SystemExit('no such setting')"))

    with pytest.raises(ServerFailedError, match="no such setting"):
        site.__enter__()
