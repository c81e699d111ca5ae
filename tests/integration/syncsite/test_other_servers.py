"""The application behind other servers than ``manage.py serve``: daphne, uvicorn, runserver."""

import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.processes import wait_until
from tests.site_process import MANAGE, SiteProcess

BIN = Path(sys.executable).parent
COMMANDS = {
    "daphne": (str(BIN / "daphne"), "-b", "{host}", "-p", "{port}", "syncsite.asgi:application"),
    "uvicorn": (
        *(str(BIN / "uvicorn"), "--host", "{host}", "--port", "{port}"),
        "syncsite.asgi:application",
    ),
    "runserver": (sys.executable, str(MANAGE), "runserver", "--noreload", "{host}:{port}"),
}
QUERY = "storeId=a&payload=%22CANARY%22"


@pytest.fixture(scope="module", params=COMMANDS)
def site(request: pytest.FixtureRequest) -> Iterator[SiteProcess]:
    environment = {"PYTHONPATH": str(MANAGE.parent)}
    with SiteProcess(command=COMMANDS[request.param], environment=environment) as made:
        yield made


def get(site: SiteProcess, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def test_it_serves_the_site(site: SiteProcess) -> None:
    assert get(site, "/") == (200, b"Info: Sync backend endpoint for @livestore/sync-cf.")
    assert get(site, "/elsewhere") == (400, b"Invalid path")
    assert get(site, "/readyz")[0] == 200
    assert get(site, "/admin/login/")[0] == 200
    assert b"body" in get(site, "/static/admin/css/base.css")[1]


def test_it_syncs(site: SiteProcess) -> None:
    with connect(f"{site.ws_url}/?{QUERY}&transport=ws") as websocket:
        websocket.send('{"_tag":"Ping"}')

        assert websocket.recv() == '{"_tag":"Pong"}'


def test_it_logs_no_query(site: SiteProcess) -> None:
    get(site, f"/elsewhere?{QUERY}")
    get(site, f"/?{QUERY}&transport=http")
    for query in (QUERY, f"{QUERY}&transport=ws&storeId=b"):
        with pytest.raises(InvalidStatus), connect(f"{site.ws_url}/x?{query}"):
            pass

    wait_until(lambda: "/elsewhere" in site.log, what="the access log")
    assert "CANARY" not in site.log


def test_it_warns_of_nothing(site: SiteProcess) -> None:
    get(site, "/static/admin/css/base.css")

    assert "Warning:" not in site.log
    assert "Traceback" not in site.log
