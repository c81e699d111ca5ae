"""The two suites."""

import platform
import sqlite3
from collections.abc import Iterable
from importlib.metadata import version

from benchmarks.chat import backends
from benchmarks.chat import tables as chat_tables
from benchmarks.chat.scenarios import METHOD_SHARE
from benchmarks.chat.scenarios import SCENARIOS as CHAT_SCENARIOS
from benchmarks.load import Scale
from benchmarks.reference_server import build_reference, reference_versions
from benchmarks.scenarios import ONE_ROUND, SCENARIOS
from benchmarks.servers import SERVERS
from benchmarks.suite import Suite
from benchmarks.tables import TABLES

PACKAGES = ("Django", "channels", "uvicorn", "websockets", "uvloop", "psycopg")


def our_versions() -> str:
    """The line about this checkout in the head of a report."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"- ours: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
    )


def _prepare_livesync(servers: Iterable[str]) -> None:
    if "reference" in servers:
        build_reference()


def _livesync_versions() -> list[str]:
    reference = ", ".join(f"{name} {number}" for name, number in reference_versions().items())
    return [our_versions(), f"- reference: {reference}"]


def _livesync_sizes(scale: Scale) -> str:
    return (
        f"- medians of {scale.rounds} rounds of {scale.seconds:g} s after {scale.warm_up_s:g} s of "
        f"warm-up; a long eventlog has {scale.many_events:,} events, a short one "
        f"{scale.few_events:,}"
    )


def _chat_sizes(scale: Scale) -> str:
    return (
        f"- medians of {scale.rounds} rounds of {scale.seconds:g} s after {scale.warm_up_s:g} s of "
        f"warm-up, for a method {METHOD_SHARE:.0%} of that"
    )


def _chat_versions() -> list[str]:
    return [our_versions(), *backends.versions()]


SUITES = {
    "livesync": Suite(
        scenarios=SCENARIOS,
        servers=SERVERS,
        tables=TABLES,
        prepare=_prepare_livesync,
        versions=_livesync_versions,
        sizes=_livesync_sizes,
        one_round=ONE_ROUND,
    ),
    "chat": Suite(
        scenarios=CHAT_SCENARIOS,
        servers=backends.BACKENDS,
        tables=chat_tables.TABLES,
        prepare=backends.prepare,
        versions=_chat_versions,
        sizes=_chat_sizes,
    ),
}
