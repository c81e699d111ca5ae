"""How LiveStore's sync worker names and shapes its tables.

Source: LiveStore sync-cf 0.4.0, ``cf-worker/do/sync-storage.ts`` and ``cf-worker/do/sqlite.ts``.
"""

import re

from groundwork.visible_text import visible

VERSION = 7
"""``PERSISTENCE_FORMAT_VERSION`` of sync-cf 0.4.0; another one has other tables."""

CONTEXT_TABLE = f"context_{VERSION}"
EVENTLOG_COLUMNS = (
    "seqNum",
    "parentSeqNum",
    "name",
    "args",
    "createdAt",
    "clientId",
    "sessionId",
)

CREATE_EVENTLOG = (
    'CREATE TABLE "{table}" ("seqNum" integer primary key   , "parentSeqNum" integer   not null , '
    '"name" text   not null , "args" text    , "createdAt" text   not null , '
    '"clientId" text   not null , "sessionId" text   not null ) strict'
)
CREATE_CONTEXT = (
    f'CREATE TABLE "{CONTEXT_TABLE}" ("storeId" text primary key   , '
    '"currentHead" integer   not null , "backendId" text   not null ) strict'
)

_EVENTLOG = re.compile(r"eventlog_(\d+)_(.*)", re.DOTALL)
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9]")


def eventlog_table(store_id: str) -> str:
    """The table of a store's events; stores whose ids differ in punctuation only have one name."""
    # JavaScript counts a character beyond the first 65,536 as two
    units = store_id.encode("utf-16-le")
    text = "".join(map(chr, memoryview(units).cast("H")))
    return f"eventlog_{VERSION}_{_NOT_IN_NAMES.sub('_', text)}"


def is_shared_name(store_id: str) -> bool:
    """Whether other store ids lead to the same table."""
    return _NOT_IN_NAMES.search(store_id) is not None


def eventlog_version(table: str) -> int | None:
    """The version in the name of an eventlog's table; None for another table."""
    found = _EVENTLOG.fullmatch(table)
    return None if found is None else int(found[1])


def no_eventlog(table: str, tables: list[str], *, hint: str = "") -> str:
    """What to say where the table of a store is missing.

    Args:
        table: the one that is missing.
        tables: those that are there.
        hint: what may be the reason if there is nothing at all.
    """
    versions = {name: version for name in tables if (version := eventlog_version(name)) is not None}
    if versions and VERSION not in versions.values():
        found = ", ".join(map(str, sorted(set(versions.values()))))
        return f"its eventlogs are of version {found}; this reads version {VERSION}"
    if versions:
        shown = ", ".join(visible(name) for name in list(versions)[:10])
        return f"there is no table {visible(table)}; its eventlogs are {shown}"
    return f"there is no eventlog in it{hint}"
