"""What the tables show, and what is wanted of each figure."""

from dataclasses import dataclass

LESS_IS_BETTER = {"ms", "kB", "MB"}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a scenario.

    ``times`` is how many times better (larger, or for ``LESS_IS_BETTER`` smaller) than the other
    side's it should be at least; ``at_least``, ``at_most`` and ``below`` bound it in its own unit.
    """

    scenario: str
    metric: str
    label: str
    unit: str
    times: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Where a column's figures come from; ``prefix`` goes before the metric's name."""

    heading: str
    server: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that hold the same two sides against each other."""

    title: str
    subject: Side
    rival: Side
    rows: tuple[Row, ...]

    def servers_of(self, scenario: str) -> list[str]:
        """Which servers a scenario must run on for this table."""
        wanted = any(row.scenario == scenario for row in self.rows)
        return [self.subject.server, self.rival.server] if wanted else []


@dataclass(frozen=True, slots=True)
class GridRow:
    """One thing that was measured: how often a second, and the p50 and p99 of its time.

    The metrics are ``prefix`` and ``per_s``, ``p50_ms``, ``p99_ms``.
    """

    label: str
    scenario: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Grid:
    """Many sides beside each other, nothing wanted of them."""

    title: str
    columns: tuple[Side, ...]
    rows: tuple[GridRow, ...]

    def servers_of(self, scenario: str) -> list[str]:
        """Which servers a scenario must run on for this table."""
        wanted = any(row.scenario == scenario for row in self.rows)
        return [column.server for column in self.columns] if wanted else []


AGAINST_REFERENCE = Table(
    "Against the reference",
    Side("ours", "ours"),
    Side("reference", "reference"),
    (
        Row("push_one", "p50_ms", "1 client, 1-event pushes: ack p50", "ms", times=3),
        Row("push_one", "p99_ms", "1 client, 1-event pushes: ack p99", "ms"),
        Row("push_one", "pushes_per_s", "1 client, 1-event pushes", "pushes/s"),
        Row("push_batches", "events_per_s", "1 client, 100-event batches", "events/s", times=25),
        Row("push_http", "p50_ms", "1 client, 1-event pushes over HTTP: answer p50", "ms"),
        Row("push_http", "pushes_per_s", "1 client, 1-event pushes over HTTP", "pushes/s"),
        Row("fifty_stores", "pushes_per_s", "50 stores at once", "pushes/s", times=20),
        Row("fifty_stores", "p99_ms", "50 stores at once: ack p99", "ms"),
        Row("eight_writers", "accepted_per_s", "8 writers on one store", "accepted/s", times=8),
        Row("catch_up_ws", "events_per_s", "10,000 events over WebSocket", "events/s", times=50),
        Row("catch_up_ws", "first_chunk_ms", "same: first chunk", "ms", at_most=10),
        Row("catch_up_http", "events_per_s", "10,000 events over HTTP", "events/s", times=50),
        Row("catch_up_http", "first_chunk_ms", "same: first chunk", "ms", at_most=10),
        Row("fan_out", "deliveries_per_s", "1 push to 500 live pulls", "deliveries/s", times=20),
        Row("fan_out", "last_receipt_p50_ms", "same: p50 to the last receipt", "ms", below=20),
        Row("idle_memory", "kb_per_pull", "idle live pull: resident memory", "kB", at_most=30),
    ),
)

# 0.8 and not 1: two runs on the same store differ by as much
LONG_EVENTLOG = Table(
    "A long eventlog against a short one",
    Side("long", "ours", "many_"),
    Side("short", "ours", "few_"),
    (
        Row("flatness", "push_ms", "1-event push: ack p50", "ms", times=0.8),
        Row("flatness", "live_ms", "1-event push to its live receipt: p50", "ms", times=0.8),
    ),
)

ON_POSTGRES = Table(
    "PostgreSQL against SQLite",
    Side("on PostgreSQL", "postgres"),
    Side("on SQLite", "ours"),
    (
        Row("fifty_stores", "pushes_per_s", "50 stores at once", "pushes/s", times=0.5),
        Row("fifty_stores", "p99_ms", "50 stores at once: ack p99", "ms"),
        Row("push_one", "p50_ms", "1 client, 1-event pushes: ack p50", "ms"),
        Row("push_batches", "events_per_s", "1 client, 100-event batches", "events/s"),
        Row("catch_up_ws", "events_per_s", "10,000 events over WebSocket", "events/s"),
        Row("catch_up_ws", "first_chunk_ms", "same: first chunk", "ms"),
        Row("catch_up_http", "events_per_s", "10,000 events over HTTP", "events/s"),
    ),
)

IN_FILES = Table(
    "A file for each store against central tables",
    Side("in files", "files"),
    Side("in central tables", "ours"),
    (
        Row("push_one", "p50_ms", "1 client, 1-event pushes: ack p50", "ms", times=0.8),
        Row("push_batches", "events_per_s", "1 client, 100-event batches", "events/s", times=0.8),
        Row("eight_writers", "accepted_per_s", "8 writers on one store", "accepted/s", times=0.8),
        Row("fifty_stores", "pushes_per_s", "50 stores at once", "pushes/s", times=1),
        Row("fifty_stores", "p99_ms", "50 stores at once: ack p99", "ms"),
        Row("catch_up_ws", "events_per_s", "10,000 events over WebSocket", "events/s", times=0.8),
    ),
)

PYTHON_CLIENT = Table(
    "The Python client against the reference",
    Side("ours", "ours"),
    Side("reference", "reference"),
    (
        Row("python_live", "events_per_s", "live events handed on", "events/s", at_least=50_000),
        Row("python_live", "events_per_cpu_s", "same, by a second of CPU", "events/s"),
    ),
)

FROM_FILES = Table(
    "A long eventlog out of a file and into one",
    Side("on SQLite", "ours"),
    Side("on PostgreSQL", "postgres"),
    (
        Row("moving", "import_events_per_s", "`import_store`", "events/s", at_least=100_000),
        Row("moving", "import_mb", "same: peak of memory", "MB", at_most=200),
        Row("moving", "export_events_per_s", "`export_store`", "events/s", at_least=100_000),
        Row("moving", "export_mb", "same: peak of memory", "MB", at_most=200),
    ),
)


RPC_IN_PROCESS = Table(
    "RPC in the process against WebSocket",
    Side("RPC", "ours", "rpc_"),
    Side("WebSocket", "ours", "ws_"),
    (
        Row("rpc_in_process", "push_events_per_s", "100-event batches", "events/s", times=1),
        Row("rpc_in_process", "pull_events_per_s", "10,000 events", "events/s", times=1),
    ),
)

TABLES = (
    AGAINST_REFERENCE,
    PYTHON_CLIENT,
    RPC_IN_PROCESS,
    LONG_EVENTLOG,
    ON_POSTGRES,
    IN_FILES,
    FROM_FILES,
)
