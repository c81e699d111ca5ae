"""docs/deployment.md: its servers serve, its unit and its nginx file say what the text says."""

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import get_args

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from livesync.conf import LivesyncSettings
from syncsite import databases
from syncsite.entrance import RESERVED
from syncsite.health import BusState
from syncsite.http_protocol import URL_MAX_BYTES
from syncsite.server import DRAIN_S, GRACE_S
from tests.docs import sync_http
from tests.docs.pages import ROOT, page, rows
from tests.docs.sync_http import event, new_store_id, outcome, push
from tests.site_process import SITE_VARIABLES, SiteProcess

PAGE = page("docs/deployment.md")
NGINX = PAGE.block("syncsite.conf").text
EXAMPLE = ROOT / "syncsite" / "production.env.example"
SERVERS = ("uvicorn", "daphne")


@pytest.fixture(scope="module")
def unit() -> configparser.SectionProxy:
    """The service section of the unit."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys have capitals
    parser.read_string(PAGE.block("syncsite.service").text)
    return parser["Service"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_by_hand_serves(server: str, tmp_path: Path) -> None:
    site = SiteProcess(data_directory=tmp_path / "data", command=_command_of(server))
    site.manage("migrate")
    store_id = new_store_id()

    with site:
        url = f"{site.http_url}{sync_http.url(store_id)}"
        assert outcome(httpx.post(url, json=push(store_id, event(1)))) == "Success"


def test_daphne_differs_as_the_table_says(tmp_path: Path) -> None:
    daphne = SiteProcess(data_directory=tmp_path / "data", command=_command_of("daphne"))
    daphne.manage("migrate")
    foreign = sync_http.request(
        "SyncWsRpc.Pull", {"storeId": "another", "live": False, "cursor": {"_tag": "None"}}
    )

    with daphne, SiteProcess() as serve:
        sync = "/?storeId=notes&transport=ws"
        assert [_refusal(site, sync[:-1]) for site in (serve, daphne)] == [400, 403]
        assert [_close_code(site, sync, json.dumps(foreign)) for site in (serve, daphne)] == [
            *(1008, 4008)
        ]
        assert [_close_code(site, sync, "x" * 1_048_577) for site in (serve, daphne)] == [
            *(1009, None)
        ]
        assert httpx.get(f"{serve.http_url}/?{'x' * 17_000}").status_code == httpx.codes.OK
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{daphne.http_url}/?{'x' * 17_000}")


def test_the_example_of_an_environment_starts_a_site(tmp_path: Path) -> None:
    environment = {
        **_example(),
        "SECRET_KEY": "only for this test, and long enough: 0123456789abcdefghij",
        "SYNCSITE_DATA": str(tmp_path / "data"),
    }
    host = {"host": environment["ALLOWED_HOSTS"]}

    with _ProductionSite(environment) as site:
        ready = httpx.get(f"{site.http_url}/readyz", headers=host)
        page = httpx.get(f"{site.http_url}/admin/login/", headers=host)
        by_https = httpx.get(
            f"{site.http_url}/admin/login/", headers={**host, "x-forwarded-proto": "https"}
        )

    assert ready.status_code == httpx.codes.OK
    assert page.status_code == httpx.codes.MOVED_PERMANENTLY
    assert by_https.status_code == httpx.codes.OK


def test_the_example_is_refused_as_long_as_it_is_not_filled_in(tmp_path: Path) -> None:
    inherited = {name: os.environ[name] for name in os.environ.keys() - SITE_VARIABLES}
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check", "--deploy"],
        env=inherited | _example() | {"SYNCSITE_DATA": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert "SECRET_KEY is missing" in done.stderr


def test_the_unit_runs_serve_and_waits_for_its_drain(unit: configparser.SectionProxy) -> None:
    program, *arguments = shlex.split(unit["ExecStart"])

    assert program == f"{unit['WorkingDirectory']}/.venv/bin/python"
    assert arguments == ["manage.py", "serve"]
    assert int(unit["TimeoutStopSec"]) > DRAIN_S + GRACE_S
    assert unit["KillMode"] == "mixed"  # or workers would get the signal twice, and not drain


def test_the_unit_keeps_the_data_where_the_example_says(
    unit: configparser.SectionProxy,
) -> None:
    assert f"/var/lib/{unit['StateDirectory']}" == _example()["SYNCSITE_DATA"]
    assert unit["EnvironmentFile"] in PAGE.section("Environment")
    assert int(unit["StateDirectoryMode"], 8) & 0o077 == 0


def test_nginx_logs_no_query_string() -> None:
    logged = set(re.findall(r"\$\w+", re.findall(r"^log_format .*?;$", NGINX, re.M | re.S)[0]))

    assert {"$uri", "$status"} <= logged
    assert logged.isdisjoint({"$args", "$query_string", "$request", "$request_uri"})
    assert re.search(r"access_log \S+ without_query;", NGINX)
    assert re.search(r"error_log +\S+ crit;", NGINX)


def test_nginx_passes_on_what_the_site_needs() -> None:
    headers = dict(re.findall(r"proxy_set_header (\S+) (\S+);", NGINX))

    assert headers == {
        "Host": "$host",
        "X-Forwarded-For": "$proxy_add_x_forwarded_for",
        "X-Forwarded-Proto": "$scheme",
        "Upgrade": "$http_upgrade",
        "Connection": "$connection_upgrade",
    }
    assert "proxy_http_version 1.1;" in NGINX
    assert NGINX.count("{") == NGINX.count("}")


def test_nginx_has_room_for_what_the_site_takes() -> None:
    (read_timeout,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    (line_kib,) = re.findall(r"large_client_header_buffers \d (\d+)k;", NGINX)
    (body_mib,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)

    assert int(read_timeout) > LivesyncSettings().idle_timeout_s
    assert int(line_kib) * 1024 >= URL_MAX_BYTES
    assert int(body_mib) * 1024 * 1024 == LivesyncSettings().frame_max_bytes


def test_the_sites_own_paths_are_there() -> None:
    for text in (PAGE.text, page("docs/wire.md").text):
        named = set(re.findall(r"`/([\w.]+)`", text))

        assert named >= RESERVED


def test_the_health_paths_answer(site: SiteProcess) -> None:
    documented = {row[0].strip("`") for row in rows(PAGE.section("Health"))}

    assert documented == {"/healthz", "/readyz"}
    assert httpx.get(f"{site.http_url}/healthz").json() == {"status": "ok", "bus": "memory"}
    assert httpx.get(f"{site.http_url}/readyz").status_code == httpx.codes.OK
    assert set(get_args(BusState)) <= set(re.findall(r"`(\w+)`", PAGE.section("Health")))


def test_the_database_url_is_one(tmp_path: Path) -> None:
    (url,) = re.findall(r"^DATABASE_URL=(\S+)$", PAGE.text, re.MULTILINE)

    config = databases.databases(url, tmp_path)["livesync"]

    assert (config["USER"], config["HOST"], config["NAME"]) == (
        *("syncsite", "db.example.org"),
        "syncsite",
    )


class _ProductionSite(SiteProcess):
    """A site that answers to the name of the example only."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment=environment)
        self._host = environment["ALLOWED_HOSTS"]

    def is_ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.http_url}/healthz", headers={"host": self._host})
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK


def _refusal(site: SiteProcess, query: str) -> int:
    with pytest.raises(InvalidStatus) as refused, connect(f"{site.ws_url}{query}"):
        pass  # never opened
    return int(refused.value.response.status_code)


def _close_code(site: SiteProcess, query: str, frame: str) -> int | None:
    """The code with which a frame makes the server close; None if it sent none."""
    with connect(f"{site.ws_url}{query}") as socket:
        socket.send(frame)
        with suppress(ConnectionClosed):
            deque(socket, maxlen=0)  # reads to the end
        return socket.close_code if socket.protocol.close_rcvd else None


def _command_of(server: str) -> tuple[str, ...]:
    (line,) = re.findall(rf"^\.venv/bin/{server} (.*)$", PAGE.text, re.MULTILINE)
    arguments = [{"8000": "{port}"}.get(word, word) for word in shlex.split(line)]
    return (sys.executable, "-m", server, *arguments)


def _example() -> dict[str, str]:
    lines = EXAMPLE.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if re.match(r"[A-Z_]+=", line))
    return {name: value for name, _, value in pairs}
