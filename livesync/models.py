"""What is stored.

Stores and events are written by ``livesync.storage`` alone, under the lock of their store.
"""

from django.db import models

from groundwork.tokens import BearerToken
from groundwork.visible_text import visible


class Place(models.TextChoices):
    """Which engine keeps a store, or is being filled to keep it.

    While a history from elsewhere is on its way to a place, the store is served nowhere.
    """

    DATABASE = "database"
    FILES = "files"
    TO_DATABASE = "to database"
    TO_FILES = "to files"


class Store(models.Model):
    """One ordered eventlog, named by a store id, and where it stands.

    The row is the store's lock: who appends or resets holds it until the commit.
    """

    store_id = models.TextField(unique=True, help_text="As in the client's URL, byte for byte.")
    generation = models.PositiveIntegerField(
        default=1, help_text="Counts the resets; only events of this generation are read."
    )
    oldest_generation = models.PositiveIntegerField(
        default=1, help_text="Below the generation while events of before a reset await deletion."
    )
    # looked at under the lock: who has not heard of a move must not write to the former place
    place = models.CharField(
        max_length=11,
        choices=Place.choices,
        default=Place.DATABASE,
        # also for processes of a version that does not know the column, while both run
        db_default=Place.DATABASE,
        help_text="The engine that keeps the events.",
    )
    # ours have 21 characters, those of a history from elsewhere may have more
    backend_id = models.CharField(
        max_length=128, help_text="Identity of this history; a new one makes clients start over."
    )
    head = models.BigIntegerField(default=0, help_text="Number of the last event; 0 when empty.")
    event_count = models.BigIntegerField(default=0)
    byte_count = models.BigIntegerField(default=0, help_text="Bytes of the events' own texts.")
    created_at = models.DateTimeField()
    last_push_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("store_id",)
        default_permissions = ("view",)
        permissions = (("reset_store", "Can reset a store: every client starts over"),)
        indexes = (
            # finds them among many stores, and holds none while no reset is being cleaned up
            models.Index(
                fields=("id",),
                name="livesync_store_to_purge",
                condition=models.Q(oldest_generation__lt=models.F("generation")),
            ),
        )

    def __str__(self) -> str:
        return visible(self.store_id)


class StoredEvent(models.Model):
    """One event of a store's history.

    The key starts with the store, so that the table can be distributed by store. ``args`` is JSON
    text as the client wrote it (NULL: the client sent none); a JSON column would refuse or change
    some of what JavaScript sends.
    """

    pk = models.CompositePrimaryKey("store", "generation", "seq_num")
    # no constraint in the database: rows are written under the store's lock only, and the check
    # would cost every insert
    store = models.ForeignKey(
        Store, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    generation = models.PositiveIntegerField()
    seq_num = models.BigIntegerField()
    parent_seq_num = models.BigIntegerField()
    ordinal = models.BigIntegerField(help_text="1 for the first event of the history, and so on.")
    name = models.TextField()
    args = models.TextField(null=True, blank=True)  # noqa: DJ001 (NULL is absent, "null" is null)
    client_id = models.TextField()
    session_id = models.TextField()
    created_at = models.CharField(
        max_length=24, help_text="When it was stored, as clients are told: ISO 8601, UTC."
    )

    class Meta:
        ordering = ("store", "generation", "seq_num")
        default_permissions = ()  # who may view a store may view its events

    def __str__(self) -> str:
        return f"{self.name} {self.seq_num}"


class Stores(models.Model):
    """One store, or those whose ids begin alike."""

    store = models.TextField(help_text="A store id, or what the ids begin with.")
    is_prefix = models.BooleanField(
        default=False, verbose_name="prefix", help_text="All stores whose ids begin like this."
    )

    class Meta:
        abstract = True

    @property
    def opens(self) -> str:
        """Which they are, for people."""
        return f"{self.store}*" if self.is_prefix else self.store

    def covers(self, store_id: str) -> bool:
        """Whether the store is one of them; ids are compared exactly."""
        return store_id.startswith(self.store) if self.is_prefix else store_id == self.store


class StoreToken(BearerToken, Stores):
    """Who may come in, for one store or for those whose ids begin alike."""

    may_push = models.BooleanField(default=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return visible(self.label) or f"token {self.pk}"


class StorePermission(Stores):
    """Somebody may sync a store, or those whose ids begin alike.

    Users and groups may be in another database, so they are named by their primary keys.
    """

    class HolderKind(models.TextChoices):
        USER = "user", "user"
        GROUP = "group", "group"
        SUBJECT = "subject", "subject of a JWT"

    holder_kind = models.CharField(max_length=7, choices=HolderKind)
    holder_key = models.CharField(max_length=255, help_text="Primary key of the user or group.")
    may_push = models.BooleanField(default=False, help_text="Not only to pull.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("holder_kind", "holder_key", "store")
        constraints = (
            models.UniqueConstraint(
                fields=("holder_kind", "holder_key", "store", "is_prefix"),
                name="livesync_storepermission_once",
            ),
        )

    def __str__(self) -> str:
        return f"{'pull and push' if self.may_push else 'pull'} {visible(self.opens)}"
