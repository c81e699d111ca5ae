"""``manage.py inspect_store``: where a store stands."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from groundwork.visible_text import visible
from livesync.protocol.errors import LivesyncError
from livesync.services.stores import count_ended_events, inspect_store
from livesync.storage.engine import StoreDetails


class Command(BaseCommand):
    help = "Show where a store stands: its head, size and backend id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("store_id")
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *, store_id: str, **options: Any) -> None:
        try:
            store = inspect_store(store_id)
            ended = count_ended_events(store)
        except LivesyncError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_members(store, ended)))
        else:
            self.stdout.write(_text(store, ended))


def _members(store: StoreDetails, ended: int) -> dict[str, Any]:
    pushed_at = store.last_push_at
    return {
        "store_id": store.store_id,
        "place": store.place,
        "backend_id": store.backend_id,
        "generation": store.generation,
        "head": store.head,
        "event_count": store.event_count,
        "byte_count": store.byte_count,
        "created_at": store.created_at.isoformat(),
        "last_push_at": pushed_at.isoformat() if pushed_at else None,
        "ended_events": ended,
    }


def _text(store: StoreDetails, ended: int) -> str:
    size = filesizeformat(store.byte_count).replace("\xa0", " ")
    lines = (
        ("store", visible(store.store_id)),
        ("kept in", store.place),
        ("head", store.head),
        ("events", f"{store.event_count:,}"),
        ("bytes", f"{store.byte_count:,} ({size})"),
        ("backend id", store.backend_id),
        ("generation", f"{store.generation} ({store.generation - 1} resets)"),
        ("created at", f"{store.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        (
            "last push at",
            f"{store.last_push_at:%Y-%m-%d %H:%M:%S} UTC" if store.last_push_at else "never",
        ),
        ("awaiting deletion", f"{ended:,} events of before a reset"),
    )
    return "\n".join(f"{name + ':':<19}{value}" for name, value in lines)
