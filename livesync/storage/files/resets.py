"""End the history in the file of a store, begin another; delete what was ended, piece by piece."""

from livesync.storage.files import schema
from livesync.storage.files.layout import ended_table
from livesync.storage.files.store_file import FileState, StoreFile

_ENDED_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?"


def reset(file: StoreFile, backend_id: str) -> FileState:
    """End the history and begin another; the state before. Within a transaction.

    Raises:
        StoreFrozenError: the store is frozen.
    """
    former = file.known()
    file.driver.execute(f'ALTER TABLE "{file.table}" RENAME TO {ended_table(former.generation)}')
    schema.make_eventlog(file.driver, file.store_id)
    file.driver.execute("UPDATE context_7 SET currentHead = 0, backendId = ?", (backend_id,))
    file.driver.execute(
        "UPDATE livesync_store SET generation = generation + 1, head = 0, event_count = 0,"
        " byte_count = 0, last_push_at = NULL"
    )
    return former


def ended_events(file: StoreFile) -> int:
    """How many events of ended histories are left."""
    return sum(_count(file, generation) for generation in _ended_generations(file))


def lost_events(file: StoreFile) -> int:
    """How many events are of no history that is, or that waits to be deleted."""
    known = file.state(even_if_frozen=True)
    waiting = range(known.oldest_generation, known.generation)
    return sum(_count(file, n) for n in _ended_generations(file) if n not in waiting)


def purge(file: StoreFile, max_events: int) -> int:
    """Delete up to ``max_events`` events of an ended history; how many. Within a transaction.

    0 means that none is left, which is noted in the file.
    """
    for generation in _ended_generations(file):
        if deleted := _purge(file, generation, max_events):
            return deleted
    file.driver.execute("UPDATE livesync_store SET oldest_generation = generation")
    return 0


def _ended_generations(file: StoreFile) -> list[int]:
    pattern = ended_table(0)[:-1]
    names = file.driver.execute(_ENDED_TABLES, (f"{pattern}[0-9]*",)).fetchall()
    return sorted(int(name.removeprefix(pattern)) for (name,) in names)


def _count(file: StoreFile, generation: int) -> int:
    statement = f"SELECT count(*) FROM {ended_table(generation)}"
    return int(file.driver.execute(statement).fetchone()[0])


def _purge(file: StoreFile, generation: int, max_events: int) -> int:
    table = ended_table(generation)
    deleted = file.driver.execute(
        f"DELETE FROM {table} WHERE seqNum IN (SELECT seqNum FROM {table} LIMIT ?)", (max_events,)
    ).rowcount
    if file.driver.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:
        # with the last event its table goes
        file.driver.execute(f"DROP TABLE {table}")
        file.driver.execute("DELETE FROM livesync_gap WHERE generation = ?", (generation,))
    return deleted
