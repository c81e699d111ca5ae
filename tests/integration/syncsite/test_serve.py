"""``manage.py serve`` as its users run it: in a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from syncsite.listening import listen
from tests.bad_inputs.raw_websocket import HANDSHAKE, TEXT, Frame, RawWebSocket, frame_bytes
from tests.processes import wait_until
from tests.servers import ValkeyServer
from tests.site_process import MANAGE, SiteProcess

PASSWORD = re.compile(r"the admin user is admin, password (\S+)")
SYNC_QUERY = "storeId=a&transport=ws"
EVENT = {
    "name": "kept",
    "args": {},
    "seqNum": 1,
    "parentSeqNum": 0,
    "clientId": "client",
    "sessionId": "session",
}


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess() as made:
        yield made


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[SiteProcess]:
    """A site that has found nothing in its data directory."""
    with SiteProcess(data_directory=tmp_path / "data") as made:
        yield made


@pytest.fixture(scope="module")
def lasting_site() -> Iterator[SiteProcess]:
    """One site for all tests that leave it as they found it."""
    with SiteProcess() as made:
        yield made


def refused(site: SiteProcess, *arguments: str, **variables: str) -> str:
    """Start the site as ``site`` would, and return what it says when it does not."""
    done = subprocess.run(
        [sys.executable, str(MANAGE), *(arguments or ("serve",))],
        check=False,
        capture_output=True,
        text=True,
        env={**site.environment(), **variables},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_it_tells_where_everything_is(lasting_site: SiteProcess) -> None:
    assert lasting_site.http_url in lasting_site.log
    assert f"{lasting_site.http_url}/admin/" in lasting_site.log
    assert str(lasting_site.data_directory) in lasting_site.log


def test_the_first_start_alone_makes_an_admin(new_site: SiteProcess) -> None:
    (password,) = PASSWORD.findall(new_site.log)
    new_site.restart()

    assert PASSWORD.findall(new_site.log) == [password]
    check = "from django.contrib.auth import authenticate as a; print(a(username='admin', password="
    assert (
        new_site.manage("shell", "--no-imports", "-c", f"{check}{password!r}))").strip() == "admin"
    )


def test_the_operator_may_choose_the_admins_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("chosen by the operator\n")
    environment = {"SYNCSITE_ADMIN_PASSWORD_FILE": str(tmp_path / "password")}

    with SiteProcess(environment=environment) as site:
        assert "with the password you chose" in site.log
        assert "chosen by the operator" not in site.log


def test_a_second_start_keeps_the_data(site: SiteProcess) -> None:
    sync(site, "SyncHttpRpc.Push", batch=[EVENT], backendId={"_tag": "None"})
    before = sync(site, "SyncHttpRpc.Pull", cursor={"_tag": "None"})
    site.kill()
    site.start()

    assert b"kept" in before
    assert sync(site, "SyncHttpRpc.Pull", cursor={"_tag": "None"}) == before


@pytest.mark.parametrize("alias", ["default", "livesync", "chatstate"])
def test_a_database_deleted_beside_its_marker_refuses_to_start(
    site: SiteProcess, alias: str
) -> None:
    site.stop()
    (site.data_directory / f"{alias}.sqlite3").unlink()

    for command in ("serve", "migrate"):
        told = refused(site, command)
        assert f"{alias}.sqlite3 is gone" in told
        assert f"delete the whole directory {site.data_directory}" in told
    assert not (site.data_directory / f"{alias}.sqlite3").exists()


def test_deleting_the_data_directory_resets_everything(site: SiteProcess) -> None:
    (first,) = PASSWORD.findall(site.log)
    site.stop()
    for file in site.data_directory.iterdir():
        file.unlink()
    site.data_directory.rmdir()
    site.start()

    assert len({first, *PASSWORD.findall(site.log)}) == 2


def test_the_data_is_for_its_owner_only(new_site: SiteProcess) -> None:
    directory = new_site.data_directory

    assert directory.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o600}


def test_a_taken_port_is_one_clear_line(lasting_site: SiteProcess) -> None:
    told = refused(lasting_site)

    port = lasting_site.port
    assert told == f"CommandError: port {port} on 127.0.0.1 is taken; choose another one with PORT"


@pytest.mark.parametrize(
    ("variables", "arguments", "told"),
    [
        ({"HOST": "0.0.0.0"}, (), "Set SYNCSITE_EXPOSE=1 if you mean it"),
        ({}, ("--host", "::"), "Set SYNCSITE_EXPOSE=1 if you mean it"),
        ({"WORKERS": "2"}, (), "WORKERS=2 needs REDIS_URL"),
        ({}, ("--workers", "3"), "WORKERS=3 needs REDIS_URL"),
        ({"PORT": "eighty"}, (), "PORT must be a number"),
        ({"SYNCSITE_EXPOSE": "maybe"}, (), "SYNCSITE_EXPOSE must be 1 or 0"),
        ({"DATABASE_URL": "mysql://x/y"}, (), "DATABASE_URL must be a postgresql:// URL"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, (), "the database cannot be used"),
    ],
)
def test_what_makes_no_sense_is_refused(
    lasting_site: SiteProcess,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    assert told in refused(lasting_site, "serve", *arguments, **{"PORT": "0", **variables})


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_runserver_opens_no_development_site_either(
    lasting_site: SiteProcess, address: str
) -> None:
    told = refused(lasting_site, "runserver", "--noreload", address)

    assert "Set SYNCSITE_EXPOSE=1 if you mean it" in told


@pytest.mark.parametrize(("access_log", "lines"), [("1", 1), ("0", 0)])
def test_the_operator_may_turn_the_access_log_off(access_log: str, lines: int) -> None:
    with SiteProcess(environment={"SYNCSITE_ACCESS_LOG": access_log}) as site:
        urllib.request.urlopen(f"{site.http_url}/?asked=once").close()

        assert site.stop() == 0
        assert site.log.count('"GET / HTTP/1.1" 200') == lines


@pytest.mark.parametrize("by_option", [True, False])
def test_exposed_it_listens_for_everybody_and_warns(by_option: bool) -> None:
    command = (sys.executable, str(MANAGE), "serve", *(["--expose"] if by_option else []))
    environment = {"HOST": ""} if by_option else {"HOST": "", "SYNCSITE_EXPOSE": "1"}

    with SiteProcess(command=command, environment=environment) as site:
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(site.pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert "WARNING: SYNCSITE_EXPOSE=1 opens this development site" in site.log
        assert listening == {"0.0.0.0"}


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_it_drains_and_ends_well_when_told_to_stop(
    site: SiteProcess, stop_signal: signal.Signals
) -> None:
    with connect(f"{site.ws_url}/?{SYNC_QUERY}") as websocket:
        os.kill(site.pid, stop_signal)

        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    wait_until(lambda: not site.running, what="end of the site")
    assert site.stop() == 0
    assert "Traceback" not in site.log


def test_a_second_signal_ends_it_at_once(site: SiteProcess) -> None:
    with connect(f"{site.ws_url}/?{SYNC_QUERY}"):
        os.kill(site.pid, signal.SIGTERM)
        os.kill(site.pid, signal.SIGTERM)

        wait_until(lambda: not site.running, what="end of the site")

    assert site.stop() == 0
    assert "Traceback" not in site.log


def test_no_query_string_reaches_the_log(site: SiteProcess) -> None:
    canary = "payload=%22CANARY%22"
    with connect(f"{site.ws_url}/?{SYNC_QUERY}&{canary}"):
        pass
    for query in (f"storeId=a&transport=x&{canary}", f"{SYNC_QUERY}&{canary}&payload=1"):
        with pytest.raises(InvalidStatus), connect(f"{site.ws_url}/?{query}"):
            pass
    for path in ("/", "/elsewhere", "/admin/", "/missing?next=", "/admin/missing/"):
        get(site, f"{path}?{canary}&{SYNC_QUERY}")
    site.stop()

    assert '"GET /elsewhere HTTP/1.1"' in site.log
    assert "CANARY" not in site.log


def test_a_refused_handshake_is_no_error_in_the_log(site: SiteProcess) -> None:
    with pytest.raises(InvalidStatus) as refusal, connect(f"{site.ws_url}/?storeId=a"):
        pass
    site.stop()

    assert refusal.value.response.status_code == 400
    assert refusal.value.response.body == b"Invalid path"
    assert "ERROR" not in site.log


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /?" + b"x" * 66_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 33_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 30_000 + b"\r\n\r\n", 200),
    ],
)
def test_the_head_of_a_request_is_bounded(
    lasting_site: SiteProcess, head: bytes, status: int
) -> None:
    assert exchange(lasting_site, head).startswith(b"HTTP/1.1 %d " % status)


def test_a_long_payload_fits_into_a_handshake(lasting_site: SiteProcess) -> None:
    # 8 KiB of JSON whose every character is percent-encoded twice
    payload = "%2522" + "%25C3%25BC" * 4_000 + "%2522"

    with connect(f"{lasting_site.ws_url}/?{SYNC_QUERY}&payload={payload}") as websocket:
        websocket.send('{"_tag":"Ping"}')
        assert websocket.recv() == '{"_tag":"Pong"}'


def test_a_client_need_not_wait_for_the_answer_to_its_handshake(lasting_site: SiteProcess) -> None:
    text = b'{"_tag":"Ping"}'
    whole, half = frame_bytes(text), frame_bytes(text)[:9]
    target = f"/?{SYNC_QUERY}"

    with RawWebSocket(lasting_site.port, target, HANDSHAKE, early=whole * 3 + half) as websocket:
        websocket.send(frame_bytes(text)[9:])

        pongs = [websocket.receive() for _ in range(4)]

    assert pongs == [Frame(TEXT, b'{"_tag":"Pong"}')] * 4


class TestWorkers:
    """Two processes behind one socket."""

    @pytest.fixture
    def valkey(self) -> Iterator[ValkeyServer]:
        with ValkeyServer() as made:
            yield made

    @pytest.fixture
    def site(self, valkey: ValkeyServer) -> Iterator[SiteProcess]:
        with SiteProcess(redis_url=valkey.url, workers=2) as made:
            yield made

    def test_all_of_them_end_well_when_told_to_stop(self, site: SiteProcess) -> None:
        workers = worker_processes(site)
        with connect(f"{site.ws_url}/?{SYNC_QUERY}") as websocket:
            # as Ctrl+C in a terminal does: everybody gets the signal, and the workers another one
            os.killpg(site.pid, signal.SIGINT)
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        wait_until(lambda: not site.running, what="end of the site")
        assert site.stop() == 0
        assert not [worker for worker in workers if is_alive(worker)]
        assert "Traceback" not in site.log

    def test_a_worker_that_died_is_replaced(self, site: SiteProcess) -> None:
        wait_until(lambda: site.log.count("Application startup complete") == 2, what="two workers")
        worker_processes(site)[0].kill()

        wait_until(lambda: site.log.count("Application startup complete") == 3, what="another one")
        assert site.is_ready()

    def test_a_second_signal_kills_them(self, site: SiteProcess) -> None:
        workers = worker_processes(site)
        with connect(f"{site.ws_url}/?{SYNC_QUERY}"):
            for worker in workers:
                worker.suspend()  # a worker that does not answer its first signal
            os.kill(site.pid, signal.SIGTERM)
            wait_until(lambda: "Terminated child process" in site.log, what="the drain")
            os.kill(site.pid, signal.SIGTERM)

            wait_until(lambda: not site.running, what="end of the site")


def test_the_port_is_free_again_at_once(site: SiteProcess) -> None:
    with connect(f"{site.ws_url}/?{SYNC_QUERY}"):
        site.stop()

    listen("127.0.0.1", site.port).close()


def worker_processes(site: SiteProcess) -> list[psutil.Process]:
    """The site's workers, without the helper that Python's multiprocessing starts beside them."""
    children = psutil.Process(site.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; in a container an orphan may stay a zombie."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def sync(site: SiteProcess, tag: str, **payload: Any) -> bytes:
    """Send one request over the HTTP transport and return its answers."""
    call = {"_tag": "Request", "id": "1", "tag": tag, "payload": {"storeId": "a", **payload}}
    request = urllib.request.Request(
        f"{site.http_url}/?storeId=a&transport=http",
        data=json.dumps(call | {"headers": []}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answers: bytes = response.read()
    assert b"Success" in answers
    return answers


def get(site: SiteProcess, target: str) -> bytes:
    return exchange(site, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def exchange(site: SiteProcess, request: bytes) -> bytes:
    """Send a raw request and return the beginning of the answer."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(request)
        return connection.recv(65_536)
