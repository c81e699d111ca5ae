"""What an operator sees of tokens and threads in a shell."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from msgspec import Raw
from pytest_django import Settings

from chatstate.models import Token
from chatstate.protocol.operations import AcquireLock, Enqueue, Operation, Subscribe
from chatstate.services.tokens import create_token, find_principal, revoke, tokens
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Job

ALIAS = "chatstate"
HOUR_MS = 3_600_000
WEIRD = "slack:\u202eC1"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().rstrip("\n")


def do(database: ShardDatabase, *operations: Operation) -> None:
    database.commit([Job("bot", "default", operations)])


def enqueue(thread_id: str) -> Enqueue:
    return Enqueue(
        thread_id=thread_id,
        message=Raw(b"1"),
        enqueued_at=1_700_000_000_000,
        expires_at=1_700_000_000_000 + HOUR_MS,
    )


@pytest.fixture
def three_tokens(chat_database: ShardDatabase) -> list[Token]:
    """A live one, one that has expired, one that was revoked."""
    create_token("a", label="lap\u202etop", rights=("read",))
    create_token("b", expires_at=timezone.now() - timedelta(days=1))
    create_token("b")
    found = list(tokens().order_by("pk"))
    revoke(found[2].pk)
    return found


def test_tokens_are_listed_with_their_state(three_tokens: list[Token]) -> None:
    lines = [line.split() for line in run("list_chat_tokens").splitlines()]

    assert [line[0] for line in lines] == ["id", *(str(token.pk) for token in three_tokens)]
    assert lines[1][1:4] == ["a", "read", "live"]
    assert lines[1][-3:] == ["never", "never", r"lap\u{202e}top"]
    assert lines[2][1:5] == ["b", "read", "write", "expired"]
    assert lines[3][1:5] == ["b", "read", "write", "revoked"]


def test_tokens_are_listed_by_namespace_and_by_state(three_tokens: list[Token]) -> None:
    assert len(run("list_chat_tokens", "b").splitlines()) == 3
    assert len(run("list_chat_tokens", "--live").splitlines()) == 2
    with pytest.raises(CommandError, match="there is no live token of the namespace b"):
        run("list_chat_tokens", "b", "--live")
    with pytest.raises(CommandError, match=r"there is no token of the namespace \\u\{202e\}"):
        run("list_chat_tokens", "\u202e")


def test_a_revoked_token_opens_nothing(chat_database: ShardDatabase) -> None:
    token = create_token("bot")
    (key,) = tokens().values_list("pk", flat=True)

    assert run("revoke_chat_token", str(key)) == f"token {key} of the namespace bot is revoked"

    assert find_principal(token) is None
    with pytest.raises(CommandError, match=f"the token {key} is revoked already"):
        run("revoke_chat_token", str(key))


@pytest.mark.usefixtures("chat_database")
@pytest.mark.parametrize("key", ["0", "1", "99999999999999999999"])
def test_a_token_that_does_not_exist_cannot_be_revoked(key: str) -> None:
    with pytest.raises(CommandError, match=f"there is no token {key}; see manage.py list_chat_"):
        run("revoke_chat_token", key)


def test_an_expired_token_cannot_be_revoked(three_tokens: list[Token]) -> None:
    with pytest.raises(CommandError, match="is expired already"):
        run("revoke_chat_token", str(three_tokens[1].pk))


def test_a_thread_is_shown_with_all_that_is_kept_of_it(chat_database: ShardDatabase) -> None:
    lock = AcquireLock(thread_id=WEIRD, ttl_ms=HOUR_MS)
    do(chat_database, Subscribe(thread_id=WEIRD), lock, enqueue(WEIRD), enqueue(WEIRD))

    text = run("inspect_thread", "bot", WEIRD)
    members: dict[str, Any] = json.loads(run("inspect_thread", "bot", WEIRD, "--json"))

    for part in (
        r"thread:      slack:\u{202e}C1",
        "shard:       default (database chatstate)",
        "subscribed:  since 2",
        "lock:        held since 2",
        "extended:    0 times",
        "queue:       2 entries",
        "oldest:      enqueued at 2023-11-14 22:13:20 UTC by its bot's clock, expires in 3,",
    ):
        assert part in text
    assert "stranded" not in text
    assert members["queue"]["depth"] == 2
    assert 0 < members["lock"]["expires_in_ms"] <= HOUR_MS
    assert not members["stranded"]


def test_a_thread_of_which_nothing_is_kept_is_shown_too(chat_database: ShardDatabase) -> None:
    assert run("inspect_thread", "bot", "t").splitlines() == [
        "thread:      t",
        "namespace:   bot",
        "shard:       default (database chatstate)",
        "subscribed:  no",
        "lock:        free",
        "queue:       empty",
    ]


def test_a_thread_is_looked_for_on_the_shard_that_its_bot_names(
    chat_database: ShardDatabase, settings: Settings
) -> None:
    settings.CHATSTATE = {"shards": {"default": "not asked", "named": ALIAS}}
    do(chat_database, AcquireLock(thread_id="t", ttl_ms=HOUR_MS))

    shown = run("inspect_thread", "bot", "t", "--shard", "named")

    assert f"shard:       named (database {ALIAS})" in shown
    assert "lock:        held since" in shown
    with pytest.raises(CommandError, match="there is no shard 'mars'"):
        run("inspect_thread", "bot", "t", "--shard", "mars")


def test_what_has_expired_is_not_shown(chat_database: ShardDatabase) -> None:
    do(chat_database, AcquireLock(thread_id="t", ttl_ms=HOUR_MS), enqueue("t"))
    with connections[ALIAS].cursor() as cursor:
        for table in ("heldlock", "queuedentry"):
            cursor.execute(f"UPDATE chatstate_{table} SET expires_at_ms = 0")

    shown = run("inspect_thread", "bot", "t")

    assert shown.endswith("lock:        free\nqueue:       empty")


def test_a_stranded_queue_is_told(chat_database: ShardDatabase) -> None:
    do(chat_database, enqueue("t"))

    assert "The queue is stranded" in run("inspect_thread", "bot", "t")


@pytest.mark.usefixtures("chat_database")
@pytest.mark.parametrize(
    ("namespace", "thread_id", "message"),
    [
        ("a b", "t", "namespace must be 1 to 200"),
        ("bot", "", "threadId must have 1 to 1,024 bytes"),
        ("bot", "x" * 1_025, "threadId must have 1 to 1,024 bytes"),
    ],
)
def test_what_cannot_exist_is_refused(namespace: str, thread_id: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("inspect_thread", namespace, thread_id)


@pytest.mark.parametrize("vendor", ["sqlite"])
def test_a_database_that_does_not_answer_is_told(
    chat_database: ShardDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections[ALIAS]
    connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "settings_dict", {**connection.settings_dict, "NAME": "/not/x"})
        for command in (
            ("inspect_thread", "bot", "t"),
            ("list_chat_tokens",),
            ("revoke_chat_token", "1"),
        ):
            with pytest.raises(CommandError, match="the database does not answer"):
                run(*command)


@pytest.mark.parametrize("days", [0, -1, 36_501, 10**12])
def test_a_token_lasts_no_longer_than_dates_do(chat_database: ShardDatabase, days: int) -> None:
    with pytest.raises(CommandError, match="--days must be 1 to 36,500"):
        run("create_chat_token", "a", f"--days={days}")

    assert not tokens().exists()
