"""A long store comes out of a file, and goes into one again: the commands, from start to end."""

import asyncio
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import Metrics, Scale, Stopwatch
from benchmarks.servers import Server
from tests.site_process import MANAGE

TABLE = "eventlog_7_moving"


class Run(NamedTuple):
    """What one command took."""

    seconds: float
    peak_mb: float


async def moving(server: Server, scale: Scale) -> Metrics:
    """Import the file of a Durable Object with ``many_events``, and export it as JSON.

    The time of a command is that of its whole process, beside the idle server.
    """
    store_id = f"moving-{secrets.token_hex(8)}"
    with Stopwatch() as watch, tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "object.sqlite"), Path(directory, "store.json")
        _write_durable_object(source, scale.many_events)
        come = await asyncio.to_thread(
            _manage, server, "import_store", str(source), "--to", store_id
        )
        gone = await asyncio.to_thread(_manage, server, "export_store", store_id, str(target))
    return {
        "import_events_per_s": scale.many_events / come.seconds,
        "import_mb": come.peak_mb,
        "export_events_per_s": scale.many_events / gone.seconds,
        "export_mb": gone.peak_mb,
        "generator_busy": watch.generator_busy,
    }


def _write_durable_object(path: Path, count: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"CREATE TABLE {TABLE} (seqNum integer primary key, parentSeqNum integer not null, name"
            " text not null, args text, createdAt text not null, clientId text not null, sessionId"
            " text not null) strict"
        )
        connection.execute(
            "CREATE TABLE context_7 (storeId text primary key, currentHead integer, backendId text)"
        )
        connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(count))
        context = ("moving", count, secrets.token_urlsafe(15))
        connection.execute("INSERT INTO context_7 VALUES (?, ?, ?)", context)


def _rows(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(1, count + 1):
        args = f'{{"id":"{number:021d}","text":"buy milk","done":false}}'
        yield (
            *(number, number - 1, "v1.TodoCreated", args, "2026-01-31T12:00:00.000Z"),
            *("client-1", "session-1"),
        )


def _manage(server: Server, *arguments: str) -> Run:
    started_at = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), *arguments],
        env=server.process.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Run(time.perf_counter() - started_at, usage.ru_maxrss / 1_000)
