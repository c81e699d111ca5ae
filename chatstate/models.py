"""What is stored. Rows are written by ``chatstate.storage`` alone.

Keys are bytes, found by their digest: databases refuse or change some of what a bot may use as a
key. Instants are milliseconds since 1970 by the one clock of ``chatstate.storage.clock``; values
are JSON text as the bot wrote it, which a JSON column would refuse or change. Every unique key of
what bots store starts with the namespace, so that the tables can be distributed; but for the number
that Django's admin needs of a row, which no other table refers to.
"""

from django.db import models

from groundwork.tokens import BearerToken
from groundwork.visible_text import visible


class Shard(models.Model):
    """A shard that this database keeps. Every write looks at its row: a frozen one takes none."""

    name = models.CharField(max_length=200, unique=True)
    is_frozen = models.BooleanField(default=False)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class Clock(models.Model):
    """What SQLite's database knows of time and of fences; PostgreSQL has a clock and a sequence."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    boot_id = models.CharField(max_length=64, help_text="The boot that the next two belong to.")
    wall_base_ms = models.BigIntegerField(help_text="What the clock showed at boot_base_ms.")
    boot_base_ms = models.BigIntegerField(help_text="Milliseconds since the boot.")
    last_ms = models.BigIntegerField(help_text="When something was written last.")
    fence = models.BigIntegerField(help_text="The last one that was given to a holder.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.boot_id


class Token(BearerToken):
    """Who may come in, and what for."""

    namespace = models.CharField(max_length=200, db_index=True)
    may_read = models.BooleanField(default=True)
    may_write = models.BooleanField(default=True)

    class Meta:
        ordering = ("namespace", "-created_at")

    def __str__(self) -> str:
        return f"{self.namespace}: {self.label or bytes(self.digest).hex()[:12]}"


class Keyed(models.Model):
    """A row of a namespace that is found by the digest of its key or thread id."""

    namespace = models.CharField(max_length=200)
    key_digest = models.BinaryField(max_length=32)

    class Meta:
        abstract = True
        constraints = (
            models.UniqueConstraint(
                fields=("namespace", "key_digest"), name="chatstate_%(class)s_key"
            ),
        )


class Expiring(Keyed):
    """Such a row with an instant of its end; NULL is never."""

    expires_at_ms = models.BigIntegerField(null=True, blank=True)

    class Meta(Keyed.Meta):
        abstract = True
        indexes = (
            models.Index(
                fields=("expires_at_ms",),
                name="chatstate_%(class)s_expiry",
                condition=models.Q(expires_at_ms__isnull=False),
            ),
        )


class Subscription(Keyed):
    """The bot listens to this thread."""

    thread_id = models.BinaryField(max_length=1024)
    subscribed_at_ms = models.BigIntegerField()

    class Meta(Keyed.Meta):
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return shown(self.thread_id)


class HeldLock(Keyed):
    """A lock and until when it is held; once that has passed it is free."""

    thread_id = models.BinaryField(max_length=1024)
    token_digest = models.BinaryField(max_length=32)
    fence = models.BigIntegerField()
    acquired_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField(db_index=True)
    extended_count = models.PositiveIntegerField(default=0)

    class Meta(Keyed.Meta):
        default_permissions = ("view",)
        permissions = (("force_release", "Can take a lock away from its holder"),)

    def __str__(self) -> str:
        return shown(self.thread_id)


class CacheEntry(Expiring):
    """A value, and when it expires; NULL is never."""

    key = models.BinaryField(max_length=1024)
    value = models.TextField()
    written_at_ms = models.BigIntegerField()

    class Meta(Expiring.Meta):
        verbose_name_plural = "cache entries"
        default_permissions = ("view", "delete")
        permissions = (("view_values", "Can see values, which may be secrets"),)

    def __str__(self) -> str:
        return shown(self.key)


class ListHead(Expiring):
    """A list: which of its items are live, and when all of them expire; NULL is never."""

    key = models.BinaryField(max_length=1024)
    first_number = models.BigIntegerField()
    last_number = models.BigIntegerField()

    class Meta(Expiring.Meta):
        verbose_name = "list"
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return shown(self.key)


class ListItem(models.Model):
    """One value of a list."""

    pk = models.CompositePrimaryKey("namespace", "key_digest", "number")
    namespace = models.CharField(max_length=200)
    key_digest = models.BinaryField(max_length=32)
    number = models.BigIntegerField()
    value = models.TextField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"item {self.number}"


class QueuedEntry(models.Model):
    """One message that waits for its thread's lock.

    ``enqueued_at`` and ``expires_at`` are the client's own, as JSON numbers; ``expires_at_ms`` is
    by our clock.
    """

    pk = models.CompositePrimaryKey("namespace", "key_digest", "number")
    namespace = models.CharField(max_length=200)
    key_digest = models.BinaryField(max_length=32)
    number = models.BigIntegerField()
    thread_id = models.BinaryField(max_length=1024)
    message = models.TextField()
    enqueued_at = models.CharField(max_length=32)
    expires_at = models.CharField(max_length=32)
    expires_at_ms = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "queued entries"
        default_permissions = ("view",)
        indexes = (
            models.Index(
                fields=("namespace", "key_digest", "expires_at_ms"),
                name="chatstate_queuedentry_live",
            ),
            models.Index(fields=("expires_at_ms",), name="chatstate_queuedentry_expiry"),
        )

    def __str__(self) -> str:
        return f"{shown(self.thread_id)} {self.number}"


class KeptAnswer(models.Model):
    """The answer to a request id, for whoever has to ask again.

    SQLite's table lies in the order of their expiry; PostgreSQL has an index for it.
    """

    pk = models.CompositePrimaryKey("namespace", "request_id")
    namespace = models.CharField(max_length=200)
    request_id = models.CharField(max_length=128)
    operation_digest = models.BinaryField(max_length=32)
    answer = models.TextField()
    expires_at_ms = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.request_id


class CleanUp(models.Model):
    """One run of ``cleanup_expired``."""

    database = models.CharField(max_length=200, help_text="The alias.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    removed_locks = models.BigIntegerField(default=0)
    removed_cache_entries = models.BigIntegerField(default=0)
    removed_lists = models.BigIntegerField(default=0)
    removed_list_items = models.BigIntegerField(default=0)
    removed_queue_entries = models.BigIntegerField(default=0)
    removed_answers = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-started_at",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.started_at.isoformat()


def shown(key: "bytes | memoryview[int]") -> str:
    """A key for people: what cannot be seen is escaped."""
    return visible(bytes(key).decode("utf-8", "surrogatepass"))
