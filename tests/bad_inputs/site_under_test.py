"""A served site whose database and log the tests look into."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from tests.bad_inputs.messages import CANARY
from tests.bad_inputs.raw_http import HttpAnswer, ask
from tests.site_process import SiteProcess

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

ALARMS = re.compile(r"^.*(?:Traceback|ERROR|CRITICAL).*$", re.MULTILINE)

MAX_GROWTH_BYTES = 32 * 1_024 * 1_024

COOKIE_MAKER = """
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
request = HttpRequest()
request.session = SessionStore()
login(request, get_user_model().objects.create_superuser("visitor"))
request.session.save()
print(settings.SESSION_COOKIE_NAME + "=" + request.session.session_key)
"""


class StoreRow(NamedTuple):
    """What a bad input must not change."""

    store_id: str
    generation: int
    backend_id: str
    head: int
    event_count: int
    byte_count: int


class SiteUnderTest:
    """One served site on one engine."""

    def __init__(self, process: SiteProcess, query: Query) -> None:
        self.process = process
        self._query = query

    @property
    def port(self) -> int:
        return self.process.port

    def stored(self) -> tuple[list[StoreRow], int]:
        """The rows of all stores, and how many events there are in all of them."""
        rows = self._query(
            "SELECT store_id, generation, backend_id, head, event_count, byte_count"
            " FROM livesync_store ORDER BY id",
            (),
        )
        ((events,),) = self._query("SELECT count(*) FROM livesync_storedevent", ())
        return [StoreRow(*row) for row in rows], events

    def store(self, store_id: str) -> StoreRow:
        """The row of one store, which has to be there."""
        (row,) = [row for row in self.stored()[0] if row.store_id == store_id]
        return row

    def numbers(self, store_id: str) -> list[int]:
        """The sequence numbers of a store's events, in their order."""
        rows = self._query(
            "SELECT event.seq_num FROM livesync_storedevent AS event"
            " JOIN livesync_store AS store ON store.id = event.store_id"
            " WHERE store.store_id = %s ORDER BY event.seq_num",
            (store_id,),
        )
        return [number for (number,) in rows]

    @contextmanager
    def writes_nothing(self) -> Iterator[None]:
        """Check that no row of any store is other than before."""
        before = self.stored()
        yield
        assert self.stored() == before

    @contextmanager
    def logs_no_alarm(self) -> Iterator[None]:
        """Check that the log gets no error, no stack trace and no secret."""
        start = self.process.log_path.stat().st_size
        yield
        with self.process.log_path.open("rb") as log:
            log.seek(start)
            check_log(log.read().decode(errors="replace"))

    @contextmanager
    def stays_small(self) -> Iterator[None]:
        """Check that the server's peak memory grows by no more than one bad input may cost."""
        pid = self.process.pid
        with suppress(OSError):  # some kernels cannot forget the peak so far: then it counts
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        before = _peak_bytes(pid)
        yield
        if self.process.pid == pid:
            assert _peak_bytes(pid) - before <= MAX_GROWTH_BYTES

    def ask(
        self,
        method: str,
        target: str | bytes,
        *,
        headers: Sequence[str | bytes] = (),
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Send one HTTP request over a connection of its own."""
        return ask(self.port, method, target, headers=headers, body=body)

    def session_cookie(self) -> str:
        """A ``Cookie`` header value of somebody who is signed in."""
        return self.process.manage("shell", "--no-imports", "-c", COOKIE_MAKER).strip()


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1_024


def check_log(log: str) -> None:
    """Check that a piece of a log holds no error, no stack trace and no secret."""
    assert ALARMS.findall(log) == []
    assert CANARY not in log


@contextmanager
def serve(*, database_url: str | None, environment: Mapping[str, str]) -> Iterator[SiteUnderTest]:
    """Serve a site on that PostgreSQL database, or on SQLite; its whole log is checked at the end.

    Args:
        database_url: of a database with empty tables; None for SQLite.
        environment: of the site.
    """
    process = SiteProcess(database_url=database_url, environment=environment)
    with process:
        if database_url is None:
            query = _query_sqlite(process.data_directory / "livesync.sqlite3")
        else:
            query = _query_postgresql(database_url)
        with query as ask_database:
            yield SiteUnderTest(process, ask_database)
        process.stop()
        check_log(process.log)


@contextmanager
def _query_sqlite(file: Path) -> Iterator[Query]:
    with closing(sqlite3.connect(file)) as database:
        yield lambda statement, values: database.execute(
            statement.replace("%s", "?"), values
        ).fetchall()


@contextmanager
def _query_postgresql(url: str) -> Iterator[Query]:
    with psycopg.connect(url, autocommit=True) as database:
        yield lambda statement, values: database.execute(statement.encode(), values).fetchall()
