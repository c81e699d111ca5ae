"""Who is wrong about a secret too often is not listened to for a while."""

import pytest

from livesync.services.wrong_secrets import PER_S, TRIES, WrongSecrets


def wrong(secrets: WrongSecrets, address: str, *, times: int = TRIES, now: float = 0.0) -> None:
    for _ in range(times):
        secrets.add(address, now=now)


def test_it_takes_some_wrong_tries_in_a_minute() -> None:
    secrets = WrongSecrets()

    wrong(secrets, "192.0.2.1", times=TRIES - 1)
    assert not secrets.is_over("192.0.2.1", now=1.0)
    wrong(secrets, "192.0.2.1", times=1, now=1.0)

    assert secrets.is_over("192.0.2.1", now=PER_S - 0.5)
    assert not secrets.is_over("192.0.2.1", now=PER_S)


def test_one_more_wrong_try_after_the_minute_counts_with_the_last_ones() -> None:
    secrets = WrongSecrets()
    wrong(secrets, "192.0.2.1", times=1)
    wrong(secrets, "192.0.2.1", times=TRIES - 1, now=50.0)

    wrong(secrets, "192.0.2.1", times=1, now=PER_S)

    assert secrets.is_over("192.0.2.1", now=PER_S)


@pytest.mark.parametrize(
    ("guesser", "same", "other"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ("", "", "192.0.2.1"),
        # little is kept of what is no address
        ("x" * 10_000 + "1", "x" * 10_000 + "2", "x"),
        ("fe80::1%eth0", "fe80::2%eth0", "2001:db8::1"),
    ],
)
def test_an_address_is_known_again(guesser: str, same: str, other: str) -> None:
    secrets = WrongSecrets()

    wrong(secrets, guesser)

    assert secrets.is_over(same, now=1.0)
    assert not secrets.is_over(other, now=1.0)


def test_only_so_many_addresses_are_remembered() -> None:
    secrets = WrongSecrets()
    wrong(secrets, "first")

    for number in range(10_000):
        wrong(secrets, str(number), times=1)

    assert not secrets.is_over("first", now=1.0)
    assert len(secrets._tries) == 10_000
