"""Where a thread stands, for operators."""

from typing import NamedTuple

from django.db import OperationalError
from django.db.models import Count, Min

from chatstate.conf import get_settings
from chatstate.models import HeldLock, QueuedEntry, Subscription
from chatstate.protocol.errors import UnavailableError
from chatstate.protocol.operations import IsSubscribed
from chatstate.services.execute import get_limits
from chatstate.services.tokens import check_namespace
from chatstate.sharding import shard_of
from chatstate.storage.context import digest
from chatstate.storage.expiry import now_ms
from groundwork.connections import DatabaseUnavailableError


class LockDetails(NamedTuple):
    """A lock that is held. Instants are milliseconds since 1970 by the database's clock."""

    acquired_at_ms: int
    expires_in_ms: int
    extended_count: int
    fence: int
    token_digest: str


class QueueDetails(NamedTuple):
    """The live entries of a queue; of the oldest, ``enqueued_at`` is by the clock of its bot."""

    depth: int
    oldest_number: int | None = None
    oldest_enqueued_at: str | None = None
    oldest_expires_in_ms: int | None = None


class ThreadDetails(NamedTuple):
    """What is kept of a thread, and where."""

    namespace: str
    thread_id: str
    shard: str
    alias: str
    subscribed_at_ms: int | None
    lock: LockDetails | None
    queue: QueueDetails

    @property
    def is_stranded(self) -> bool:
        """Whether messages wait although nobody works on the thread."""
        return self.queue.depth > 0 and self.lock is None


def inspect_thread(namespace: str, thread_id: str, *, shard: str | None = None) -> ThreadDetails:
    """What is kept of a thread at present; nothing at all is an answer, too.

    Args:
        shard: the one that the bot names; None: the one that the site's hooks give.

    Raises:
        InvalidError: there can be no such namespace or thread id.
        UnknownShardError: the settings do not have the shard.
        UnavailableError: the database does not answer.
    """
    check_namespace(namespace)
    operation = IsSubscribed(thread_id=thread_id, shard=shard)
    operation.check(get_limits())
    shard = shard_of(operation)
    alias = get_settings().shards[shard]
    try:
        place = _Place(alias, namespace, digest(thread_id), now_ms(alias))
        return ThreadDetails(
            namespace,
            thread_id,
            shard,
            alias,
            _subscribed_at_ms(place),
            _lock(place),
            _queue(place),
        )
    except (DatabaseUnavailableError, OperationalError) as error:
        raise UnavailableError from error


class _Place(NamedTuple):
    alias: str
    namespace: str
    key_digest: bytes
    now_ms: int

    @property
    def key(self) -> dict[str, str | bytes]:
        return {"namespace": self.namespace, "key_digest": self.key_digest}


def _subscribed_at_ms(place: _Place) -> int | None:
    found = Subscription.objects.using(place.alias).filter(**place.key)
    return found.values_list("subscribed_at_ms", flat=True).first()


def _lock(place: _Place) -> LockDetails | None:
    locks = HeldLock.objects.using(place.alias)
    lock = locks.filter(**place.key, expires_at_ms__gt=place.now_ms).first()
    if lock is None:
        return None
    return LockDetails(
        lock.acquired_at_ms,
        lock.expires_at_ms - place.now_ms,
        lock.extended_count,
        lock.fence,
        bytes(lock.token_digest).hex(),
    )


def _queue(place: _Place) -> QueueDetails:
    entries = QueuedEntry.objects.using(place.alias)
    live = entries.filter(**place.key, expires_at_ms__gt=place.now_ms)
    depth, number = live.aggregate(depth=Count("number"), number=Min("number")).values()
    oldest = live.filter(number=number).first()
    if oldest is None:
        return QueueDetails(0)
    expires_in_ms = oldest.expires_at_ms - place.now_ms
    return QueueDetails(depth, number, oldest.enqueued_at, expires_in_ms)
