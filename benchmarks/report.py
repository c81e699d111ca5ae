"""The tables as Markdown, and the machine they were measured on."""

import os
import platform
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.load import Scale
from benchmarks.reference_server import reference_versions
from benchmarks.runner import Results
from benchmarks.tables import LESS_IS_BETTER, TABLES, Row, Side, Table

PACKAGES = ("Django", "channels", "uvicorn", "websockets", "uvloop", "psycopg")


def markdown(results: dict[str, Results], scale: Scale, *, load_before: float) -> str:
    """Every table of which something was measured.

    Args:
        results: by scenario.
        scale: what was asked for.
        load_before: the load average before the run; above 0.2 others were at work as well.
    """
    tables = [_table(table, results) for table in TABLES]
    lines = [*_environment(load_before), *_sizes(scale), "", *(table for table in tables if table)]
    return "\n".join([*lines, _busiest(results)])


def _table(table: Table, results: dict[str, Results]) -> str:
    lines = list(_lines(table, results))
    if not lines:
        return ""
    heads = [table.title, "unit", table.subject.heading, table.rival.heading]
    heads += ["times better", "wanted", "met"]
    rule = ["---", "---", "---:", "---:", "---:", "---", "---"]
    return "\n".join([_line(heads), _line(rule), *lines, ""])


def _lines(table: Table, results: dict[str, Results]) -> Iterator[str]:
    for row in table.rows:
        subject = _figure(row, table.subject, results)
        rival = _figure(row, table.rival, results)
        if subject is None and (rival is None or table.rival.server == "ours"):
            continue  # ours stands in the first table already
        times = _times_better(row, subject, rival)
        yield _line(
            [
                *(row.label, row.unit, _number(subject), _number(rival), _number(times)),
                *(_wanted(row), _met(row, subject, times)),
            ]
        )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(row: Row, side: Side, results: dict[str, Results]) -> float | None:
    metrics = results.get(row.scenario, {}).get(side.server, {})
    return metrics.get(side.prefix + row.metric)


def _times_better(row: Row, subject: float | None, rival: float | None) -> float | None:
    if subject is None or rival is None:
        return None
    better, worse = (rival, subject) if row.unit in LESS_IS_BETTER else (subject, rival)
    return better / worse if worse > 0 else None


def _wanted(row: Row) -> str:
    if row.times is not None:
        return f"{row.times:g} times"
    if row.at_most is not None:
        return f"at most {row.at_most:g} {row.unit}"
    if row.below is not None:
        return f"below {row.below:g} {row.unit}"
    return ""


def _met(row: Row, subject: float | None, times: float | None) -> str:
    if row.times is not None:
        return "" if times is None else _yes(times >= row.times)
    if subject is None:
        return ""
    if row.at_most is not None:
        return _yes(subject <= row.at_most)
    if row.below is not None:
        return _yes(subject < row.below)
    return ""


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _busiest(results: dict[str, Results]) -> str:
    busy, scenario, server = max(
        (metrics["generator_busy"], scenario, server)
        for scenario, servers in results.items()
        for server, metrics in servers.items()
    )
    return f"The load generator was busiest, {busy:.0%} of its CPU, in `{scenario}` on {server}."


def _environment(load_before: float) -> list[str]:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    reference = ", ".join(f"{name} {number}" for name, number in reference_versions().items())
    return [
        f"- {datetime.now(UTC):%Y-%m-%d}, {cpus} CPUs ({_cpu_model()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, load {load_before:.2f} before the run",
        f"- ours: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}",
        f"- reference: {reference}",
    ]


def _sizes(scale: Scale) -> list[str]:
    return [
        f"- medians of {scale.rounds} rounds of {scale.seconds:g} s after {scale.warm_up_s:g} s of "
        f"warm-up; a long eventlog has {scale.many_events:,} events, a short one "
        f"{scale.few_events:,}"
    ]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
