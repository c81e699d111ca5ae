"""Look at the central tables: what commands and the admin read, through Django's models.

Nothing here is on the way of an event, and every statement is bounded by its caller.
"""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Func, QuerySet
from django.db.models.functions import Coalesce, Substr

from livesync.models import Store, StoredEvent
from livesync.storage.engine import Heading, LoggedEvent, StoreDetails


class OctetLength(Func):
    """Bytes of a text in UTF-8. PostgreSQL knows them without unpacking a long text."""

    function = "octet_length"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        template = "length(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template, **context)


_ARGS_BYTES = Coalesce(OctetLength("args"), 0)


def store_ids(alias: str, after: str, max_stores: int) -> Sequence[str]:
    """Implements ``Engine.store_ids``."""
    stores = Store.objects.using(alias).filter(store_id__gt=after).order_by("store_id")
    return list(stores.values_list("store_id", flat=True)[:max_stores])


def inspect(alias: str, store_id: str) -> StoreDetails | None:
    """Implements ``Engine.inspect``."""
    columns = ("pk", *StoreDetails._fields[1:])
    row = Store.objects.using(alias).filter(store_id=store_id).values_list(*columns).first()
    return None if row is None else StoreDetails(*row)


def headings(
    alias: str, store: StoreDetails, start: int, newest_first: bool, max_events: int
) -> Sequence[Heading]:
    """Implements ``Engine.headings``."""
    stored = _history(alias, store).annotate(args_bytes=_ARGS_BYTES)
    if newest_first:
        ordered = stored.filter(seq_num__lte=start).order_by("-seq_num")
    else:
        ordered = stored.filter(seq_num__gte=start).order_by("seq_num")
    rows = ordered.values_list("seq_num", "name", "client_id", "args_bytes")[:max_events]
    return [Heading(*row) for row in rows]


def events(
    alias: str, store: StoreDetails, seq_nums: Sequence[int], max_args_chars: int
) -> Sequence[LoggedEvent]:
    """Implements ``Engine.events``."""
    columns = ("shown_args" if field == "args" else field for field in LoggedEvent._fields)
    rows = (
        _history(alias, store)
        .filter(seq_num__in=seq_nums)
        .annotate(args_bytes=_ARGS_BYTES, shown_args=Substr("args", 1, max_args_chars))
        .order_by("seq_num")
        .values_list(*columns)
    )
    return [LoggedEvent(*row) for row in rows]


def _history(alias: str, store: StoreDetails) -> QuerySet[StoredEvent]:
    stored = StoredEvent.objects.using(alias)
    return stored.filter(store_id=store.key, generation=store.generation)
