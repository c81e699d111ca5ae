"""What the tables of the chat suite show, and what is wanted of each figure."""

from collections.abc import Iterator

from benchmarks.chat.scenarios import CONCURRENCY
from benchmarks.tables import Grid, GridRow, Row, Side, Table

OURS = Side("ours", "ours")
OURS_ON_POSTGRES = Side("ours on PostgreSQL", "postgres")
STATE_PG = Side("state-pg", "state_pg")
REDIS = Side("state-redis", "redis")
DURABLE_OBJECT = Side("Durable Object", "durable_object")

DURABLE_OBJECT_METHODS = (
    *("subscribe", "isSubscribed", "unsubscribe"),
    *("acquireLock", "extendLock", "releaseLock"),
    *("set", "get", "delete"),
)
LATER_METHODS = (
    *("forceReleaseLock", "setIfNotExists", "appendToList", "getList"),
    *("enqueue", "queueDepth", "dequeue"),
)
MIX_LABELS = {
    "light": "light messages (4 calls)",
    "ai": "AI messages (14 calls)",
    "queue": "queued messages (22 calls for 4)",
}


def _mix_rows(**times: float) -> Iterator[Row]:
    for mix, label in MIX_LABELS.items():
        for number in CONCURRENCY:
            yield Row(
                *(f"chat_{mix}", f"c{number}_per_s", f"{label}, {number} at once", "messages/s"),
                times=times.get(mix),
            )


def _python_rows() -> Iterator[Row]:
    for mix, times in (("light", 3.0), ("ai", None)):
        for number in CONCURRENCY:
            metric, label = f"{mix}_c{number}_", f"{MIX_LABELS[mix]}, {number} at once"
            yield Row("chat_python", f"{metric}per_s", label, "messages/s", times=times)
            yield Row("chat_python", f"{metric}p99_ms", "same: p99", "ms")


AGAINST_STATE_PG = Table(
    "npm adapters, against PostgreSQL's",
    *(OURS, STATE_PG),
    (
        *_mix_rows(light=2, ai=2),
        Row("chat_lock", "per_s", "64 ask for one lock", "rounds/s", times=10),
        Row("chat_methods", "getList_c1_p50_ms", "a list of 100 entries: p50", "ms", at_most=1),
    ),
)

AGAINST_DURABLE_OBJECT = Table(
    "npm adapters, against the Durable Object's",
    *(OURS, DURABLE_OBJECT),
    tuple(
        Row(
            "chat_methods",
            f"{method}_c{number}_per_s",
            f"{method}, {number} at once",
            "calls/s",
            10,
        )
        for method in DURABLE_OBJECT_METHODS
        for number in (16, 64)
    ),
)

AGAINST_REDIS = Table(
    "npm adapters, against Redis's",
    *(OURS, REDIS),
    (*_mix_rows(), Row("chat_lock", "per_s", "64 ask for one lock", "rounds/s")),
)

BOTH_ON_POSTGRES = Table(
    "npm adapters, both on PostgreSQL",
    *(OURS_ON_POSTGRES, STATE_PG),
    (*_mix_rows(), Row("chat_lock", "per_s", "64 ask for one lock", "rounds/s")),
)

IN_PYTHON = Table(
    "Python adapters in the bot's process",
    Side("ours", "python_ours"),
    Side("chat_sdk on PostgreSQL", "chat_sdk_postgres"),
    tuple(_python_rows()),
)

MIXES = Grid(
    "per second (p50 / p99 in ms)",
    (OURS, OURS_ON_POSTGRES, REDIS, STATE_PG),
    (
        *(
            GridRow(f"{label}, {number} at once", f"chat_{mix}", f"c{number}_")
            for mix, label in MIX_LABELS.items()
            for number in CONCURRENCY
        ),
        GridRow("64 ask for one lock", "chat_lock", ""),
    ),
)

METHODS = Grid(
    "calls per second (p50 / p99 in ms)",
    (OURS, OURS_ON_POSTGRES, REDIS, STATE_PG, DURABLE_OBJECT),
    tuple(
        GridRow(f"`{method}`, {number} at once", "chat_methods", f"{method}_c{number}_")
        for method in (*DURABLE_OBJECT_METHODS, *LATER_METHODS)
        for number in CONCURRENCY
    ),
)

TABLES = (
    *(AGAINST_STATE_PG, AGAINST_DURABLE_OBJECT, IN_PYTHON),
    *(AGAINST_REDIS, BOTH_ON_POSTGRES, MIXES, METHODS),
)
