import pytest

from groundwork.backoff import Backoff

BACKOFF = Backoff(first_s=0.1, most_s=2.0)


def test_a_pause_doubles_up_to_its_bound() -> None:
    pauses = [BACKOFF.pause_s(attempt, lambda: 0.5) for attempt in (0, 1, 2, 5, 1_000)]

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 2.0, 2.0])


def test_a_pause_is_a_quarter_more_or_less() -> None:
    assert BACKOFF.pause_s(0, lambda: 0.0) == pytest.approx(0.075)
    assert BACKOFF.pause_s(0, lambda: 1.0) == pytest.approx(0.125)
