"""The first tables."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# their indexes are made after this, as for all models of the migration
BY_KEY = (
    "DROP TABLE chatstate_listitem",
    """
    CREATE TABLE chatstate_listitem (
        namespace varchar(200) NOT NULL,
        key_digest blob NOT NULL,
        number bigint NOT NULL,
        value text NOT NULL,
        PRIMARY KEY (namespace, key_digest, number)
    ) WITHOUT ROWID
    """,
    "DROP TABLE chatstate_queuedentry",
    """
    CREATE TABLE chatstate_queuedentry (
        namespace varchar(200) NOT NULL,
        key_digest blob NOT NULL,
        number bigint NOT NULL,
        thread_id blob NOT NULL,
        message text NOT NULL,
        enqueued_at varchar(32) NOT NULL,
        expires_at varchar(32) NOT NULL,
        expires_at_ms bigint NOT NULL,
        PRIMARY KEY (namespace, key_digest, number)
    ) WITHOUT ROWID
    """,
)


# what is written all the time; SQLite would keep the largest id of each in a page more per commit
WITHOUT_SEQUENCE = ("subscription", "heldlock", "cacheentry", "listhead", "keptanswer")
SELECT_TABLE = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s"


def drop_sequences(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the tables again without AUTOINCREMENT: none of their numbers has to be new for ever."""
    for name in WITHOUT_SEQUENCE:
        table = f"chatstate_{name}"
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(SELECT_TABLE, [table])
            (made,) = cursor.fetchone()
        schema_editor.execute(f"DROP TABLE {table}")
        schema_editor.execute(made.replace(" AUTOINCREMENT", ""))


def finish(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What Django cannot say: tables that lie in the order of their key, a sequence."""
    if schema_editor.connection.vendor == "sqlite":
        drop_sequences(schema_editor)
        for statement in BY_KEY:
            schema_editor.execute(statement)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE SEQUENCE chatstate_fence")


def undo(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Remove the sequence; the tables go by themselves."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP SEQUENCE chatstate_fence")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CleanUp",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("database", models.CharField(help_text="The alias.", max_length=200)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("removed_locks", models.BigIntegerField(default=0)),
                ("removed_cache_entries", models.BigIntegerField(default=0)),
                ("removed_lists", models.BigIntegerField(default=0)),
                ("removed_list_items", models.BigIntegerField(default=0)),
                ("removed_queue_entries", models.BigIntegerField(default=0)),
                ("removed_answers", models.BigIntegerField(default=0)),
            ],
            options={
                "ordering": ("-started_at",),
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Clock",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "boot_id",
                    models.CharField(
                        help_text="The boot that the next two belong to.", max_length=64
                    ),
                ),
                (
                    "wall_base_ms",
                    models.BigIntegerField(help_text="What the clock showed at boot_base_ms."),
                ),
                ("boot_base_ms", models.BigIntegerField(help_text="Milliseconds since the boot.")),
                ("last_ms", models.BigIntegerField(help_text="When something was written last.")),
                (
                    "fence",
                    models.BigIntegerField(help_text="The last one that was given to a holder."),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ListItem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "namespace",
                        "key_digest",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("number", models.BigIntegerField()),
                ("value", models.TextField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Shard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("is_frozen", models.BooleanField(default=False)),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Token",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("namespace", models.CharField(db_index=True, max_length=200)),
                (
                    "label",
                    models.CharField(
                        blank=True, help_text="For people: who uses it.", max_length=200
                    ),
                ),
                ("may_read", models.BooleanField(default=True)),
                ("may_write", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "ordering": ("namespace", "-created_at"),
            },
        ),
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("key", models.BinaryField(max_length=1024)),
                ("value", models.TextField()),
                ("written_at_ms", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "cache entries",
                "permissions": (("view_values", "Can see values, which may be secrets"),),
                "default_permissions": ("view", "delete"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("expires_at_ms__isnull", False)),
                        fields=["expires_at_ms"],
                        name="chatstate_cacheentry_expiry",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "key_digest"), name="chatstate_cacheentry_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HeldLock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("thread_id", models.BinaryField(max_length=1024)),
                ("token_digest", models.BinaryField(max_length=32)),
                ("fence", models.BigIntegerField()),
                ("acquired_at_ms", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField(db_index=True)),
                ("extended_count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "permissions": (("force_release", "Can take a lock away from its holder"),),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "key_digest"), name="chatstate_heldlock_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KeptAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("request_id", models.CharField(max_length=128)),
                ("operation_digest", models.BinaryField(max_length=32)),
                ("answer", models.TextField()),
                ("expires_at_ms", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "request_id"), name="chatstate_keptanswer_id"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ListHead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("key", models.BinaryField(max_length=1024)),
                ("first_number", models.BigIntegerField()),
                ("last_number", models.BigIntegerField()),
                ("expires_at_ms", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "list",
                "default_permissions": ("view", "delete"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("expires_at_ms__isnull", False)),
                        fields=["expires_at_ms"],
                        name="chatstate_listhead_expiry",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "key_digest"), name="chatstate_listhead_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QueuedEntry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "namespace",
                        "key_digest",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("number", models.BigIntegerField()),
                ("thread_id", models.BinaryField(max_length=1024)),
                ("message", models.TextField()),
                ("enqueued_at", models.CharField(max_length=32)),
                ("expires_at", models.CharField(max_length=32)),
                ("expires_at_ms", models.BigIntegerField()),
            ],
            options={
                "verbose_name_plural": "queued entries",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["namespace", "key_digest", "expires_at_ms"],
                        name="chatstate_queuedentry_live",
                    ),
                    models.Index(fields=["expires_at_ms"], name="chatstate_queuedentry_expiry"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("namespace", models.CharField(max_length=200)),
                ("key_digest", models.BinaryField(max_length=32)),
                ("thread_id", models.BinaryField(max_length=1024)),
                ("subscribed_at_ms", models.BigIntegerField()),
            ],
            options={
                "default_permissions": ("view", "delete"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("namespace", "key_digest"), name="chatstate_subscription_key"
                    )
                ],
            },
        ),
        migrations.RunPython(finish, undo),
    ]
