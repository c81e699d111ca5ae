"""Move a store from one engine to the other while it is used.

Its events are copied piece by piece. Then pushes wait while the last ones follow and the row of the
store says its new place: the row is what decides, so the store is whole in one place at every
instant, and whoever is stopped half-way leaves nothing but copies that the next attempt throws
away. Other processes hear of the move when they ask at the former place; see
``livesync.storage.routed``.
"""

from collections.abc import Iterator, Sequence
from types import ModuleType

from livesync.models import Place, Store, StoredEvent
from livesync.protocol.errors import LivesyncError, StoreArrivingError, StoreNotFoundError
from livesync.protocol.events import Event
from livesync.storage import postgresql, sqlite
from livesync.storage.engine import TimedEvent
from livesync.storage.files import schema
from livesync.storage.files.move_lock import move_lock
from livesync.storage.places import locked_row, read_rows
from livesync.storage.plan import EventRow
from livesync.storage.routed import RoutedEngine
from livesync.storage.transactions import durable_transaction

SLICE_EVENTS = 2_000
"""Events copied at a time, and the most that are left when pushes have to wait."""

_STATEMENTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}
_COLUMNS = EventRow._fields[2:]


class StoreChangedError(LivesyncError):
    """The store was reset while it was being moved; it is where it was."""

    def __init__(self, *, store_id: str) -> None:
        self.store_id = store_id
        super().__init__(f"store {store_id!r} was reset meanwhile; move it again")


def move(engine: RoutedEngine, store_id: str, to: Place) -> Iterator[int]:
    """Move a store to ``to``; gives how many events have been copied, now and then.

    Does nothing to a store that lives there. What it leaves behind in the central tables is deleted
    by ``purge``.

    Raises:
        StoreNotFoundError: there is no such store.
        StoreArrivingError: its history is on its way here from elsewhere.
        StoreHeldError: somebody else is moving it.
        StoreChangedError: it was reset meanwhile.
        StorageUnavailableError: an engine is out of reach. The store is whole in one of the two
            places.
    """
    with move_lock(engine.files.layout.lock(store_id)):
        row = _row(engine, store_id)
        if row.place == Place.DATABASE:
            engine.files.remove(store_id)  # what a former attempt has left, if anything
        if row.place == to:
            return
        if row.place not in (Place.DATABASE, Place.FILES):
            raise StoreArrivingError
        yield from (_ToFiles if to == Place.FILES else _ToDatabase)(engine, row).run()
        engine.forget(store_id)


class _ToFiles:
    """The rows are the truth until the row of the store says otherwise, under its lock.

    The file is frozen until then: a process may remember that the store was in a file once.
    """

    def __init__(self, engine: RoutedEngine, row: Store) -> None:
        self._engine = engine
        self._files = engine.files
        self._row = row
        self._head = 0

    def run(self) -> Iterator[int]:
        row = self._row
        content = schema.new_file(
            row.store_id,
            row.backend_id,
            generation=row.generation,
            created_at=row.created_at.isoformat(),
            is_frozen=True,
        )
        self._files.place(row.store_id, content)
        copied = 0
        while len(events := self._copy()) == SLICE_EVENTS:
            copied += len(events)
            yield copied
        with durable_transaction(self._engine.alias):
            self._switch()
        self._engine.thaw(row.store_id)

    def _copy(self) -> Sequence[TimedEvent]:
        stored = StoredEvent.objects.using(self._engine.alias).filter(
            store_id=self._row.pk, generation=self._row.generation, seq_num__gt=self._head
        )
        found = stored.order_by("seq_num").values_list(*_COLUMNS)[:SLICE_EVENTS]
        events = read_rows(self._engine.alias, lambda: [_timed(row) for row in found])
        if events:
            self._files.adopt(self._row.store_id, self._row.backend_id, events, even_if_frozen=True)
            self._head = events[-1].event.seq_num
        return events

    def _switch(self) -> None:
        now = locked_row(self._engine.alias, self._row.store_id).get()
        if (now.place, now.generation) != (self._row.place, self._row.generation):
            raise StoreChangedError(store_id=now.store_id)
        while self._copy():
            pass
        now.place = Place.FILES
        now.generation += 1  # what is left here belongs to no history any more
        now.save(using=self._engine.alias)


class _ToDatabase:
    """The file is the truth until it is frozen, and from then on what the row of the store says."""

    def __init__(self, engine: RoutedEngine, row: Store) -> None:
        self._engine = engine
        self._files = engine.files
        self._row = row
        self._generation = 0
        self._head = 0
        self._count = 0

    def run(self) -> Iterator[int]:
        store_id = self._row.store_id
        self._engine.thaw(store_id)  # a former attempt may have been stopped
        known = self._files.inspect(store_id)
        self._generation = known.generation
        self._begin(max(self._row.generation, known.generation) + 1)
        while self._copy() == SLICE_EVENTS:
            yield self._count
        self._files.set_frozen(store_id, True)
        try:
            while self._copy():
                pass
            self._switch()
        except BaseException:
            self._engine.thaw(store_id)
            raise
        self._files.remove(store_id)

    def _begin(self, generation: int) -> None:
        with durable_transaction(self._engine.alias):
            self._row = locked_row(self._engine.alias, self._row.store_id).get()
            # what former attempts have copied is of an ended history now
            self._row.generation = generation
            self._row.save(using=self._engine.alias)

    def _copy(self) -> int:
        found = self._files.rows_after(
            self._row.store_id, self._generation, self._head, max_events=SLICE_EVENTS
        )
        if found is None:
            raise StoreChangedError(store_id=self._row.store_id)
        rows = [
            EventRow._make((self._row.pk, self._row.generation, *row[:2], ordinal, *row[2:]))
            for ordinal, row in enumerate(found, self._count + 1)
        ]
        if rows:
            with durable_transaction(self._engine.alias) as connection:
                self._check(locked_row(self._engine.alias, self._row.store_id).get())
                _STATEMENTS[connection.vendor].insert_events(connection, rows)
            self._head, self._count = rows[-1].seq_num, self._count + len(rows)
        return len(rows)

    def _switch(self) -> None:
        known = self._files.inspect(self._row.store_id)
        with durable_transaction(self._engine.alias):
            row = locked_row(self._engine.alias, self._row.store_id).get()
            self._check(row)
            row.place = Place.DATABASE
            row.backend_id, row.head = known.backend_id, known.head
            row.event_count, row.byte_count = known.event_count, known.byte_count
            row.last_push_at = known.last_push_at
            row.save(using=self._engine.alias)

    def _check(self, row: Store) -> None:
        if (row.place, row.generation) != (Place.FILES, self._row.generation):
            raise StoreChangedError(store_id=row.store_id)


def _row(engine: RoutedEngine, store_id: str) -> Store:
    with durable_transaction(engine.alias):
        row = locked_row(engine.alias, store_id).first()
    if row is None:
        raise StoreNotFoundError(store_id=store_id)
    return row


def _timed(row: Sequence[object]) -> TimedEvent:
    seq_num, parent, _, name, args, client_id, session_id, created_at = row
    return TimedEvent(Event(name, args, seq_num, parent, client_id, session_id), created_at)  # type: ignore[arg-type]
