"""What an operator sees of tokens of stores in a shell."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from livesync.auth.store_tokens import TOKENS, Opens, create_token, tokens
from livesync.models import StoreToken

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("engine"),
]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def three_tokens(engine: object) -> list[StoreToken]:
    """One that only pulls, one of a prefix, one that has expired."""
    create_token(Opens("notes", may_push=False), label="lap\u202etop")
    create_token(Opens("no", is_prefix=True))
    create_token(Opens("tasks"), expires_at=timezone.now() - timedelta(days=1))
    return list(tokens().order_by("pk"))


def test_a_token_opens_what_it_was_made_for() -> None:
    token = run("create_store_token", "notes", "--read-only", "--days=2", "--label=laptop")

    found = TOKENS.find(token)
    assert found is not None
    assert (found.store, found.is_prefix, found.may_push) == ("notes", False, False)
    assert found.label == "laptop"
    assert found.expires_at is not None
    assert timedelta(days=1) < found.expires_at - timezone.now() <= timedelta(days=2)


def test_a_token_may_open_a_prefix_for_ever() -> None:
    found = TOKENS.find(run("create_store_token", "team-", "--prefix"))

    assert found is not None
    assert (found.is_prefix, found.may_push, found.expires_at) == (True, True, None)


@pytest.mark.parametrize("store", ["", "a\x00", "a\nb", "x" * 513])
def test_what_can_name_no_store_is_refused(store: str) -> None:
    with pytest.raises(CommandError, match="no store can have this id"):
        run("create_store_token", store)

    assert not tokens().exists()


@pytest.mark.parametrize("days", [-1, 0, 36_501])
def test_a_token_lasts_no_longer_than_dates_do(days: int) -> None:
    with pytest.raises(CommandError, match="--days must be 1 to 36,500"):
        run("create_store_token", "notes", f"--days={days}")


def test_tokens_are_listed_with_what_they_open(three_tokens: list[StoreToken]) -> None:
    lines = run("list_store_tokens").splitlines()

    assert [line.split()[0] for line in lines] == [
        "id",
        *(str(three_tokens[number].pk) for number in (1, 0, 2)),
    ]
    assert [" ".join(line.split()[1:4]) for line in lines[1:]] == [
        "no* pull push",
        "notes pull live",
        "tasks pull push",
    ]
    assert r"lap\u{202e}top" in lines[2]
    assert " expired " in lines[3]


def test_the_tokens_of_a_store_are_those_that_open_it(three_tokens: list[StoreToken]) -> None:
    assert len(run("list_store_tokens", "notes").splitlines()) == 3
    assert len(run("list_store_tokens", "--live").splitlines()) == 3
    with pytest.raises(CommandError, match="there is no live token of the store tasks"):
        run("list_store_tokens", "tasks", "--live")
    with pytest.raises(CommandError, match="there is no token of the store Notes"):
        run("list_store_tokens", "Notes")


def test_a_revoked_token_opens_nothing() -> None:
    token = run("create_store_token", "team-", "--prefix")
    key = str(tokens().get().pk)

    assert run("revoke_store_token", key) == f"token {key} of the store team-* is revoked"

    assert TOKENS.find(token) is None
    with pytest.raises(CommandError, match=f"the token {key} is revoked already"):
        run("revoke_store_token", key)
    with pytest.raises(CommandError, match="there is no token 99; see manage"):
        run("revoke_store_token", "99")
