"""The first tables."""

from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

EVENTS_BY_STORE = """
    CREATE TABLE livesync_storedevent (
        store_id bigint NOT NULL,
        generation integer NOT NULL,
        seq_num bigint NOT NULL,
        parent_seq_num bigint NOT NULL,
        ordinal bigint NOT NULL,
        name text NOT NULL,
        args text NULL,
        client_id text NOT NULL,
        session_id text NOT NULL,
        created_at varchar(24) NOT NULL,
        PRIMARY KEY (store_id, generation, seq_num)
    ) WITHOUT ROWID
"""


def keep_events_by_store(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """On SQLite, let the events lie in the order of their key: one tree to write, none to look up.

    PostgreSQL has no such tables; there Django's own does.
    """
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TABLE livesync_storedevent")
        schema_editor.execute(EVENTS_BY_STORE)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Store",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "store_id",
                    models.TextField(
                        help_text="As in the client's URL, byte for byte.", unique=True
                    ),
                ),
                (
                    "generation",
                    models.PositiveIntegerField(
                        default=1,
                        help_text="Counts the resets; only events of this generation are read.",
                    ),
                ),
                (
                    "oldest_generation",
                    models.PositiveIntegerField(
                        default=1,
                        help_text="Below the generation while events of before a reset"
                        " await deletion.",
                    ),
                ),
                (
                    "backend_id",
                    models.CharField(
                        help_text="Identity of this history; a new one makes clients start over.",
                        max_length=21,
                    ),
                ),
                (
                    "head",
                    models.BigIntegerField(
                        default=0, help_text="Number of the last event; 0 when empty."
                    ),
                ),
                ("event_count", models.BigIntegerField(default=0)),
                (
                    "byte_count",
                    models.BigIntegerField(default=0, help_text="Bytes of the events' own texts."),
                ),
                ("created_at", models.DateTimeField()),
                ("last_push_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("store_id",),
                "permissions": (("reset_store", "Can reset a store: every client starts over"),),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("oldest_generation__lt", models.F("generation"))),
                        fields=["id"],
                        name="livesync_store_to_purge",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StoredEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "store",
                        "generation",
                        "seq_num",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("generation", models.PositiveIntegerField()),
                ("seq_num", models.BigIntegerField()),
                ("parent_seq_num", models.BigIntegerField()),
                (
                    "ordinal",
                    models.BigIntegerField(
                        help_text="1 for the first event of the history, and so on."
                    ),
                ),
                ("name", models.TextField()),
                ("args", models.TextField(blank=True, null=True)),
                ("client_id", models.TextField()),
                ("session_id", models.TextField()),
                (
                    "created_at",
                    models.CharField(
                        help_text="When it was stored, as clients are told: ISO 8601, UTC.",
                        max_length=24,
                    ),
                ),
                (
                    "store",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        to="livesync.store",
                    ),
                ),
            ],
            options={
                "ordering": ("store", "generation", "seq_num"),
                "default_permissions": (),
            },
        ),
        migrations.RunPython(keep_events_by_store, migrations.RunPython.noop),
    ]
