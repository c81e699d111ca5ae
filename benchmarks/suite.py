"""What a suite is: one app's scenarios, the servers that take turns in them, and its tables."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import Metrics, Scale
from benchmarks.tables import Grid, Table

Scenario = Callable[[Any, Scale], Awaitable[Metrics]]
"""Takes a running server of its suite; gives named figures, ``generator_busy`` among them."""

Results = dict[str, Metrics]
"""Per server the median of every metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One app's part of the benchmark.

    A server is whatever the suite's scenarios take; it has a ``name`` and a ``process``, which is
    ``None`` if it works inside the load generator.
    """

    scenarios: Mapping[str, Scenario]
    servers: Mapping[str, Callable[[], AbstractContextManager[Any]]]
    tables: Collection[Table | Grid]

    prepare: Callable[[Iterable[str]], None]
    """Installs and builds what the named servers need, unless that is done."""

    versions: Callable[[], list[str]]
    """Lines for the head of the report."""

    sizes: Callable[[Scale], str]
    """The line of the head that says how long and how large a run was."""

    ours: Collection[str] = ("ours", "postgres", "files")
    """The servers that can be profiled."""

    one_round: Collection[str] = field(default_factory=frozenset)
    """Scenarios that a second round would falsify."""

    def servers_of(self, scenario: str) -> list[str]:
        """Which servers a scenario must run on for the tables, in a fixed order."""
        wanted: dict[str, None] = {}
        for table in self.tables:
            wanted |= dict.fromkeys(table.servers_of(scenario))
        return list(wanted)
