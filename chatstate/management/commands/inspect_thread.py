"""``manage.py inspect_thread``: where a thread of a bot stands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatstate.protocol.errors import ChatstateError
from chatstate.services.inspect import LockDetails, QueueDetails, ThreadDetails, inspect_thread
from groundwork.visible_text import visible


class Command(BaseCommand):
    help = "Show what is kept of a thread: its subscription, lock and queue, and on which shard."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("namespace")
        parser.add_argument("thread_id")
        parser.add_argument(
            "--shard", help="that the bot names; else the settings decide, as usual"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *, namespace: str, thread_id: str, **options: Any) -> None:
        try:
            thread = inspect_thread(namespace, thread_id, shard=options["shard"])
        except ChatstateError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(_members(thread)) if options["json"] else _text(thread))


def _members(thread: ThreadDetails) -> dict[str, Any]:
    lock = thread.lock._asdict() if thread.lock else None
    return {
        **thread._asdict(),
        "lock": lock,
        "queue": thread.queue._asdict(),
        "stranded": thread.is_stranded,
    }


def _text(thread: ThreadDetails) -> str:
    subscribed_at_ms = thread.subscribed_at_ms
    lines = (
        ("thread", visible(thread.thread_id)),
        ("namespace", thread.namespace),
        ("shard", f"{visible(thread.shard)} (database {thread.alias})"),
        ("subscribed", "no" if subscribed_at_ms is None else f"since {_instant(subscribed_at_ms)}"),
        *_lock_lines(thread.lock),
        *_queue_lines(thread.queue),
    )
    text = "\n".join(f"{name + ':':<13}{value}" for name, value in lines)
    if thread.is_stranded:
        text += "\nThe queue is stranded: messages wait, and nobody works on the thread."
    return text


def _lock_lines(lock: LockDetails | None) -> Iterator[tuple[str, str]]:
    if lock is None:
        yield "lock", "free"
        return
    yield "lock", f"held since {_instant(lock.acquired_at_ms)}"
    yield "expires in", _duration(lock.expires_in_ms)
    yield "extended", f"{lock.extended_count} times"
    yield "fence", str(lock.fence)
    yield "holder", f"token with the digest {lock.token_digest[:12]}"


def _queue_lines(queue: QueueDetails) -> Iterator[tuple[str, str]]:
    yield "queue", f"{queue.depth:,} entries" if queue.depth else "empty"
    if queue.oldest_expires_in_ms is not None:
        yield (
            "oldest",
            f"enqueued at {_client_instant(queue.oldest_enqueued_at)} by its bot's clock,"
            f" expires in {_duration(queue.oldest_expires_in_ms)}",
        )


def _instant(instant_ms: int) -> str:
    return f"{datetime.fromtimestamp(instant_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _client_instant(text: str | None) -> str:
    # a client may write any number
    try:
        return _instant(int(float(text or "")))
    except (ValueError, OverflowError):
        return text or ""


def _duration(ms: int) -> str:
    return f"{ms / 1000:,.1f} s"
