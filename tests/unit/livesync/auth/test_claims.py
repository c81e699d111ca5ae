"""What a token says counts only in the one shape that is documented."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from livesync.auth.claims import ClaimError, read_end, read_scope, read_subject
from livesync.conf import LivesyncSettings

NOW = 1_900_000_000.0


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.mark.parametrize(
    ("exp", "leeway_s", "grace_s", "ends_in_s"),
    [
        (60, 0, 0, 60),
        (60, 10, 0, 70),
        (60, 10, 3_600, 70),  # the grace is for those who come late
        (-5, 10, 0, 5),
        (-5, 0, 3_600, 3_595),
        (-20, 10, 3_600, 3_590),
        (0.5, 0, 0, 0.5),
    ],
)
def test_a_socket_ends_with_its_token_or_its_grace(
    exp: float, leeway_s: float, grace_s: float, ends_in_s: float
) -> None:
    tuned = LivesyncSettings(jwt_leeway_s=leeway_s, jwt_grace_s=grace_s)

    end = read_end({"exp": NOW + exp}, tuned)

    assert end == datetime.fromtimestamp(NOW + ends_in_s, UTC)


@pytest.mark.parametrize(("exp", "grace_s"), [(0, 0), (-1, 0), (-3_600, 3_600), (-1e12, 3_600)])
def test_what_has_expired_lets_in_no_more(exp: float, grace_s: float) -> None:
    with pytest.raises(ClaimError, match="exp has passed"):
        read_end({"exp": NOW + exp}, LivesyncSettings(jwt_leeway_s=0, jwt_grace_s=grace_s))


def test_a_token_may_last_longer_than_dates_do() -> None:
    assert read_end({"exp": 1e300}, LivesyncSettings()).year == 9999


@pytest.mark.parametrize("exp", [True, "1900000100", [], {}, float("inf"), float("nan")])
def test_an_end_that_is_no_instant_is_refused(exp: object) -> None:
    with pytest.raises(ClaimError, match="exp is no number"):
        read_end({"exp": exp}, LivesyncSettings())


@pytest.mark.parametrize(
    ("claims", "opened", "may_push"),
    [
        ({}, {"a", "b", "team-1", "team-", "tea", "A"}, True),
        ({"stores": ["a", "b"]}, {"a", "b"}, True),
        ({"store_prefixes": ["team-"]}, {"team-1", "team-"}, True),
        ({"stores": ["a"], "store_prefixes": ["team-"]}, {"a", "team-1", "team-"}, True),
        ({"stores": []}, set(), True),
        ({"store_prefixes": []}, set(), True),
        ({"stores": ["a"], "access": "read-write"}, {"a"}, True),
        ({"stores": ["a"], "access": "read-only"}, {"a"}, False),
        ({"stores": ["*"]}, set(), True),
    ],
)
def test_a_token_opens_what_it_names(
    claims: dict[str, Any], opened: set[str], may_push: bool
) -> None:
    scope = read_scope(claims, "")

    found = {store for store in ("a", "b", "team-1", "team-", "tea", "A") if scope.covers(store)}
    assert (found, scope.may_push) == (opened, may_push)


def test_claims_may_have_a_prefix() -> None:
    claims = {"https://x/stores": ["a"], "https://x/access": "read-only", "stores": ["b"]}

    scope = read_scope(claims, "https://x/")

    assert (scope.covers("a"), scope.covers("b"), scope.may_push) == (True, False, False)


@pytest.mark.parametrize(
    "claims",
    [
        {"stores": None},
        {"stores": "a"},
        {"stores": {"a": 1}},
        {"stores": [1]},
        {"stores": [""]},
        {"store_prefixes": [""]},
        {"store_prefixes": "team-"},
        {"access": None},
        {"access": "READ-ONLY"},
        {"access": ["read-write"]},
        {"access": True},
    ],
)
def test_a_claim_of_another_shape_opens_nothing(claims: dict[str, Any]) -> None:
    with pytest.raises(ClaimError):
        read_scope(claims, "")


@pytest.mark.parametrize("subject", ["", "a\x00", "\ud83d", "x" * 256, 5, []])
def test_a_subject_that_no_database_holds_is_refused(subject: object) -> None:
    with pytest.raises(ClaimError, match="sub"):
        read_subject({"sub": subject})


def test_a_token_need_not_name_a_subject() -> None:
    assert read_subject({}) is None
    assert read_subject({"sub": "auth0|7"}) == "auth0|7"
