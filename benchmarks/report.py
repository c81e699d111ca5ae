"""The tables as Markdown, and the machine they were measured on."""

import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

from benchmarks.load import Scale
from benchmarks.suite import Results, Suite
from benchmarks.tables import LESS_IS_BETTER, Grid, GridRow, Row, Side, Table


def markdown(
    results: dict[str, Results], suites: Iterable[Suite], scale: Scale, *, load_before: float
) -> str:
    """Every table of which something was measured.

    Args:
        results: by scenario.
        suites: whose scenarios they are.
        scale: what was asked for.
        load_before: the load average before the run; above 0.2 others were at work as well.
    """
    lines = [_machine(load_before)]
    for suite in suites:
        measured = {name: results[name] for name in suite.scenarios if name in results}
        if measured:
            tables = [_table(table, measured) for table in suite.tables]
            lines += [
                *suite.versions(),
                suite.sizes(scale),
                "",
                *(table for table in tables if table),
            ]
            lines += [_busiest(measured), ""]
    return "\n".join(lines)


def _table(table: Table | Grid, results: dict[str, Results]) -> str:
    if isinstance(table, Grid):
        return _grid(table, results)
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


def _grid(grid: Grid, results: dict[str, Results]) -> str:
    lines = []
    for row in grid.rows:
        cells = [_cell(row, side, results) for side in grid.columns]
        if any(cells):
            lines.append(_line([row.label, *cells]))
    if not lines:
        return ""
    heads = [grid.title, *(side.heading for side in grid.columns)]
    return "\n".join([_line(heads), _line(["---", *("---:" for _ in grid.columns)]), *lines, ""])


def _cell(row: GridRow, side: Side, results: dict[str, Results]) -> str:
    metrics = results.get(row.scenario, {}).get(side.server, {})
    names = (f"{row.prefix}{name}" for name in ("per_s", "p50_ms", "p99_ms"))
    figures = [_number(metrics.get(name)) for name in names]
    return f"{figures[0]} ({figures[1]} / {figures[2]})" if all(figures) else ""


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
    if row.at_least is not None:
        return f"at least {_number(row.at_least)} {row.unit}"
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
    if row.at_least is not None:
        return _yes(subject >= row.at_least)
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


def _machine(load_before: float) -> str:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"- {datetime.now(UTC):%Y-%m-%d}, {cpus} CPUs ({_cpu_model()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, load {load_before:.2f} before the run"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
