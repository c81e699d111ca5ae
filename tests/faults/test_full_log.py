"""Nobody reads the log (F-44): pushes are answered as ever, and no line is lost."""

import fcntl
import json
import os
import shlex
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers import ValkeyServer
from tests.site_process import MANAGE, SiteProcess

PIPE_BYTES = 4_096
PUSHES = 200


class UnreadLog:
    """A named pipe, small, that a site writes to and nobody reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def fill(self) -> None:
        """Leave no room in it, not even for a byte."""
        with suppress(BlockingIOError):
            while True:
                os.write(self._writer, b"x")

    def read_to_the_end(self) -> bytes:
        """Everything, once the site has ended or is about to."""
        os.close(self._writer)
        os.set_blocking(self._reader, True)
        data = b""
        while piece := os.read(self._reader, PIPE_BYTES):
            data += piece
        os.close(self._reader)
        return data


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as made:
        yield made


@pytest.fixture
def log(tmp_path: Path) -> UnreadLog:
    return UnreadLog(tmp_path / "log")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_log_that_nobody_reads_holds_nothing_up(
    log: UnreadLog, valkey: ValkeyServer, workers: int
) -> None:
    serve = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(MANAGE))} serve"
    command = ("sh", "-c", f"{serve} >{shlex.quote(str(log.path))} 2>&1")
    with SiteProcess(redis_url=valkey.url, workers=workers, command=command) as site:
        log.fill()
        for number in range(PUSHES):
            assert b'"_tag":"Success"' in push(site, number)

        ending = threading.Thread(target=site.stop)
        ending.start()
        lines = log.read_to_the_end().splitlines()
        ending.join()

    assert sum(line.endswith(b'"POST / HTTP/1.1" 200') for line in lines) == PUSHES
    assert sum(b"Finished server process" in line for line in lines) == workers
    assert not any(b"were dropped" in line for line in lines)


def push(site: SiteProcess, after: int) -> bytes:
    """Push one event, on a connection of its own, so that every worker gets some."""
    event = {
        "name": "kept",
        "args": {},
        "seqNum": after + 1,
        "parentSeqNum": after,
        "clientId": "client",
        "sessionId": "session",
    }
    payload = {"storeId": "a", "batch": [event], "backendId": {"_tag": "None"}}
    call = {"_tag": "Request", "id": "1", "tag": "SyncHttpRpc.Push", "payload": payload}
    request = urllib.request.Request(
        f"{site.http_url}/?storeId=a&transport=http",
        data=json.dumps(call | {"headers": []}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: bytes = response.read()
    return answer
