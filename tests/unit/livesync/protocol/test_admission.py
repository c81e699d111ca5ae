"""Whether a batch continues a head, and speaks of the same history."""

import pytest

from livesync.protocol.admission import admit, check_backend_id
from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from tests.factories import make_chain, make_events


@pytest.mark.parametrize("head", [0, 4, 2**53 - 3])
def test_a_batch_on_the_head_moves_it_to_its_last_event(head: int) -> None:
    assert admit(head, make_events(2, after=head)) == head + 2


def test_numbers_may_jump_as_long_as_the_parent_is_the_head() -> None:
    assert admit(0, make_chain(20_000)) == 20_000
    assert admit(5, make_chain(9, 100, after=5)) == 100


@pytest.mark.parametrize(("head", "parent"), [(3, 0), (3, 2), (3, 8), (0, 1)])
def test_a_batch_on_an_older_or_a_newer_head_is_refused_with_both(head: int, parent: int) -> None:
    with pytest.raises(ServerAheadError) as refusal:
        admit(head, make_events(1, after=parent))

    assert (refusal.value.expected, refusal.value.provided) == (head, parent)


def test_a_client_that_knows_no_history_yet_is_welcome() -> None:
    check_backend_id(None, stored="stored")
    check_backend_id("stored", stored="stored")


def test_a_client_of_another_history_is_refused_with_both() -> None:
    with pytest.raises(BackendIdMismatchError) as refusal:
        check_backend_id("known", stored="stored")

    assert (refusal.value.expected, refusal.value.received) == ("stored", "known")
