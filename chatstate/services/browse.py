"""What operators page through. Every query reads along an index, and no more than it shows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections, models

from chatstate.conf import get_settings
from chatstate.models import ListHead, ListItem, QueuedEntry
from chatstate.protocol.errors import ChatstateError
from chatstate.protocol.operations import Operation
from chatstate.services.execute import get_database
from chatstate.sharding import shard_of
from chatstate.storage.expiry import now_ms
from chatstate.storage.jobs import Job
from chatstate.storage.steps import Outcome

MAX_NAMESPACES = 1_000
"""Most namespaces that are told apart."""

STRANDED_AMONG = 1_000
"""How many queues are looked through for stranded ones."""

# from one namespace to the next by the index, however many rows each has
_NAMESPACES = """
    WITH RECURSIVE known(namespace) AS (
        SELECT min(namespace) FROM {table}
        UNION ALL
        SELECT (SELECT min(namespace) FROM {table} WHERE namespace > known.namespace)
        FROM known WHERE known.namespace IS NOT NULL
    )
    SELECT namespace FROM known WHERE namespace IS NOT NULL LIMIT %(n)s
"""
_QUEUES = """
    SELECT queue.namespace, queue.key_digest, entry.thread_id, queue.depth, entry.enqueued_at,
           entry.expires_at_ms, lock.id
    FROM (
        SELECT namespace, key_digest, count(*) AS depth, min(number) AS number
        FROM chatstate_queuedentry
        WHERE (namespace, key_digest) > (%(namespace)s, %(digest)s) AND expires_at_ms > %(now)s
        GROUP BY namespace, key_digest ORDER BY namespace, key_digest LIMIT %(n)s
    ) AS queue
    JOIN chatstate_queuedentry AS entry ON entry.namespace = queue.namespace
         AND entry.key_digest = queue.key_digest AND entry.number = queue.number
    LEFT JOIN chatstate_heldlock AS lock ON lock.namespace = queue.namespace
         AND lock.key_digest = queue.key_digest AND lock.expires_at_ms > %(now)s
    ORDER BY queue.namespace, queue.key_digest
"""


class Place(NamedTuple):
    """Where a page of queues goes on."""

    namespace: str = ""
    digest: bytes = b""


class Queue(NamedTuple):
    """The live messages that wait for a thread; ``enqueued_at`` is by the clock of the bot."""

    namespace: str
    digest: bytes
    thread_id: bytes
    depth: int
    oldest_enqueued_at: str
    oldest_expires_in_ms: int
    lock_pk: int | None

    @property
    def is_stranded(self) -> bool:
        """Whether nobody works on the thread."""
        return self.lock_pk is None


def known_namespaces(alias: str, model: type[models.Model]) -> Sequence[str]:
    """The namespaces of a table's rows, up to ``MAX_NAMESPACES``."""
    statement = _NAMESPACES.format(table=model._meta.db_table)
    return [row[0] for row in _rows(alias, statement, {"n": MAX_NAMESPACES})]


def list_queues(alias: str, *, after: Place, max_queues: int) -> Sequence[Queue]:
    """Queues with live messages, in the order of their keys.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    now = now_ms(alias)
    parameters = {**after._asdict(), "now": now, "n": max_queues}
    return [
        Queue(row[0], bytes(row[1]), bytes(row[2]), row[3], row[4], row[5] - now, row[6])
        for row in _rows(alias, _QUEUES, parameters)
    ]


def count_stranded(alias: str) -> int:
    """How many of the first ``STRANDED_AMONG`` queues hold messages that nobody works on.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    queues = list_queues(alias, after=Place(), max_queues=STRANDED_AMONG)
    return sum(queue.is_stranded for queue in queues)


def queue_entries(
    alias: str, place: Place, *, after: int, max_entries: int
) -> Sequence[QueuedEntry]:
    """A thread's entries behind number ``after``, the next to be taken first; also expired ones."""
    entries = QueuedEntry.objects.using(alias)
    found = entries.filter(namespace=place.namespace, key_digest=place.digest, number__gt=after)
    return list(found.order_by("number")[:max_entries])


def list_items(alias: str, head: ListHead, *, after: int, max_items: int) -> Sequence[ListItem]:
    """A list's items behind number ``after``, oldest first."""
    items = ListItem.objects.using(alias)
    found = items.filter(
        namespace=head.namespace,
        key_digest=bytes(head.key_digest),
        number__gte=max(head.first_number, after + 1),
    )
    return list(found.order_by("number")[:max_items])


def carry_out(alias: str, namespace: str, operation: Operation) -> Outcome:
    """Carry out an operation of an operator, as if the bot had asked for it.

    Args:
        alias: of the database that the row was found in; the site's hooks may name another by now.

    Returns:
        Its answer.

    Raises:
        ChatstateError: it was refused; ``UnavailableError``: the database does not answer, and it
            may have been done.
    """
    shards = get_settings().shards
    shard = shard_of(operation)
    if shards[shard] != alias:
        shard = next(name for name, other in shards.items() if other == alias)
    (done,) = get_database(alias).commit([Job(namespace, shard, [operation])])
    if isinstance(done, ChatstateError):
        raise done
    (result,) = done.results
    if isinstance(result, ChatstateError):
        raise result
    return result


def _rows(alias: str, statement: str, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
