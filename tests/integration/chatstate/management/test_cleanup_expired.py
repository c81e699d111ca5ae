"""``manage.py cleanup_expired``, as an operator runs it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from msgspec import Raw

from chatstate.models import CacheEntry, CleanUp
from chatstate.protocol.errors import UnavailableError
from chatstate.protocol.operations import Set
from chatstate.services import expiry
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Job
from groundwork.connections import DatabaseUnavailableError
from tests.site_process import MANAGE, SiteProcess

ALIAS = "chatstate"
NOTHING = "0 locks, 0 cache entries, 0 lists, 0 list items, 0 queue entries, 0 answers"
THREE = NOTHING.replace("0 cache", "3 cache")


@pytest.fixture
def expired(chat_database: ShardDatabase) -> None:
    """Three cache entries that have expired, and a live one."""
    entries = [Set(key=f"k{number}", value=Raw(b"1"), ttl_ms=60_000) for number in range(3)]
    chat_database.commit([Job("bot", "default", entries)])
    CacheEntry.objects.using(ALIAS).update(expires_at_ms=F("expires_at_ms") - 3_600_000)
    live = Set(key="live", value=Raw(b"1"), ttl_ms=60_000)
    chat_database.commit([Job("bot", "default", [live])])


@contextmanager
def _started(site: SiteProcess) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, str(MANAGE), "cleanup_expired", "--interval", "0.01"],
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("cleanup_expired", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.usefixtures("expired")
def test_it_reports_what_it_deletes() -> None:
    assert run() == f"chatstate: deleted {THREE}\n"
    assert run() == f"chatstate: deleted {NOTHING}\n"
    assert CacheEntry.objects.using(ALIAS).count() == 1


@pytest.mark.usefixtures("expired")
def test_a_dry_run_counts_and_changes_nothing() -> None:
    assert run("--dry-run") == f"chatstate: would delete {THREE}\n"
    assert run("--dry-run") == f"chatstate: would delete {THREE}\n"
    assert not CleanUp.objects.using(ALIAS).exists()


@pytest.mark.usefixtures("expired")
def test_it_stops_when_its_time_is_over() -> None:
    out = run("--batch-size", "1", "--max-seconds", "1e-9")

    assert out == f"chatstate: deleted {NOTHING}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--batch-size", "0"), "--batch-size must be 1 to 100,000"),
        (("--batch-size", "100001"), "--batch-size must be 1 to 100,000"),
        (("--interval", "0"), "--interval must be more than 0"),
        (("--max-seconds", "nan"), "--max-seconds must be more than 0"),
        (("--interval", "1e300"), "--interval must be more than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)


@pytest.mark.usefixtures("chat_database")
@pytest.mark.parametrize("vendor", ["sqlite"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_database_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("gone")

    for name in ("now_ms", "count"):
        monkeypatch.setattr(expiry.expiry, name, fail)

    with pytest.raises(CommandError, match=f"chatstate: {UnavailableError()}"):
        run(*arguments)


def test_it_goes_on_until_it_is_told_to_stop() -> None:
    with closing(SiteProcess()) as site, _started(site) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=60)

    assert lines == [f"chatstate: deleted {NOTHING}\n"] * 3
    assert (process.returncode, complaints) == (0, "")
