"""What the checker must let pass, and must not, told by hand one small history at a time."""

from collections.abc import Sequence

import pytest

from tests.history.checker import Finding, Rule, check
from tests.history.history import (
    AnyRecord,
    Entry,
    FinalLog,
    History,
    PageReceived,
    PullEnded,
    PullInvoked,
    PushAnswered,
    PushInvoked,
    Refusal,
    StoreReset,
)

A, B, C = Entry("a", 1, 0), Entry("b", 2, 1), Entry("c", 3, 2)


def push(
    op: int,
    outcome: str,
    *batch: Entry,
    at: float = 0,
    until: float = 1,
    backend_id: str | None = "first",
    refusal: Refusal | None = None,
) -> list[AnyRecord]:
    invoked = PushInvoked(
        op=op, at=at, client="w", server="s", store="x", backend_id=backend_id, batch=batch
    )
    if outcome == "none":
        return [invoked]
    answered = PushAnswered(op=op, at=until, outcome=outcome, refusal=refusal)  # type: ignore[arg-type]
    return [invoked, answered]


def ahead(head: int) -> Refusal:
    return Refusal(tag="ServerAheadError", head=head)


def pull(
    op: int,
    outcome: str,
    *pages: Sequence[Entry],
    cursor: int | None = None,
    at: float = 0,
    until: float = 1,
    live: bool = False,
    backend_id: str = "first",
) -> list[AnyRecord]:
    invoked = PullInvoked(
        op=op,
        at=at,
        client="r",
        server="s",
        store="x",
        live=live,
        cursor=cursor,
        backend_id=None if cursor is None else backend_id,
    )
    answers = [
        PageReceived(
            op=op,
            at=until,
            backend_id=backend_id,
            entries=tuple(page),
            last=number == len(pages),
        )
        for number, page in enumerate(pages, 1)
    ]
    return [invoked, *answers, PullEnded(op=op, at=until, outcome=outcome)]  # type: ignore[arg-type]


def judge(
    *operations: Sequence[AnyRecord], log: Sequence[Entry], backend_id: str = "first"
) -> list[Finding]:
    records = [record for operation in operations for record in operation]
    final = FinalLog(store="x", backend_id=backend_id, entries=tuple(log))
    return check(History(records), [final])


def rules(findings: Sequence[Finding]) -> set[Rule]:
    return {finding.rule for finding in findings}


@pytest.mark.parametrize("outcome", ["info", "none"])
@pytest.mark.parametrize("log", [(), (A, B)])
def test_a_batch_without_answer_may_be_stored_or_not(outcome: str, log: Sequence[Entry]) -> None:
    assert judge(push(1, outcome, A, B), log=log) == []


def test_half_a_batch_without_answer_may_not_be_stored() -> None:
    assert rules(judge(push(1, "none", A, B), log=[A])) == {Rule.WHOLE}


def test_a_retry_may_be_refused_because_the_first_try_was_stored() -> None:
    first, retry = push(1, "info", A, B), push(2, "fail", A, B, at=2, until=3, refusal=ahead(2))

    assert judge(first, retry, log=[A, B]) == []


def test_a_retry_may_be_acknowledged_after_no_answer() -> None:
    first, retry = push(1, "info", A, B), push(2, "ok", A, B, at=2, until=3)

    assert judge(first, retry, log=[A, B]) == []


def test_a_retry_on_a_later_head_is_another_batch() -> None:
    moved = Entry("a", 3, 2)
    other = push(1, "ok", Entry("x", 1, 0), Entry("y", 2, 1))
    refused = push(2, "fail", A, refusal=ahead(2))
    retry = push(3, "ok", moved, at=2, until=3)

    log = [Entry("x", 1, 0), Entry("y", 2, 1), moved]
    assert judge(other, refused, retry, log=log) == []
    assert rules(judge(other, refused, retry, log=[*log, A])) >= {Rule.REFUSED, Rule.UNIQUE}


def test_a_retry_may_share_its_first_events_with_the_try_before_it() -> None:
    first, retry = push(1, "info", A, B), push(2, "ok", A, Entry("b", 7, 1), at=2, until=3)

    assert judge(first, retry, log=[A, Entry("b", 7, 1)]) == []


def test_gaps_in_the_numbers_are_legal_and_breaks_in_the_chain_are_not() -> None:
    far, apart = Entry("far", 20_000, 0), Entry("apart", 20_001, 19_999)

    assert judge(push(1, "ok", far), log=[far]) == []
    assert rules(judge(push(1, "ok", far, apart), log=[far, apart])) == {Rule.CHAIN}


def test_pushes_at_the_same_time_may_be_stored_in_any_order() -> None:
    later = push(1, "ok", B, at=0, until=5)

    assert judge(later, push(2, "ok", A, at=4, until=6), log=[A, B]) == []
    assert rules(judge(later, push(2, "ok", A, at=6, until=7), log=[A, B])) == {Rule.REAL_TIME}


def test_a_read_may_miss_what_was_acknowledged_while_it_ran() -> None:
    write = push(1, "ok", A, at=0, until=5)

    assert judge(write, pull(2, "ok", (), at=4, until=6), log=[A]) == []
    assert rules(judge(write, pull(2, "ok", (), at=6, until=7), log=[A])) == {Rule.READ}


def test_a_read_that_was_cut_owes_nothing_more() -> None:
    write = push(1, "ok", A, B, C)

    assert judge(write, pull(2, "cut", [A], at=2, until=3), log=[A, B, C]) == []
    assert rules(judge(write, pull(2, "cut", [B], at=2, until=3), log=[A, B, C])) == {Rule.READ}


def test_a_client_never_sees_less_than_before() -> None:
    write = push(1, "info", A)
    saw, blind = pull(2, "ok", [A], at=2, until=3), pull(3, "ok", (), at=4, until=5)

    assert judge(write, saw, pull(3, "ok", (), cursor=1, at=4, until=5), log=[A]) == []
    assert rules(judge(write, saw, blind, log=[A])) == {Rule.READ}


def test_a_live_pull_owes_everything_when_all_is_over() -> None:
    write = push(1, "ok", A, B, until=5)

    assert judge(write, pull(2, "cut", [A], live=True), log=[A, B]) == []
    assert judge(write, pull(2, "final", [A], [B], live=True), log=[A, B]) == []
    assert rules(judge(write, pull(2, "final", [A], live=True), log=[A, B])) == {Rule.LIVE}


def test_a_live_pull_owes_what_was_acknowledged_once_it_says_no_more() -> None:
    write = push(1, "ok", A, B)

    late = pull(2, "cut", [], [A, B], live=True, at=2, until=3)
    late[1] = PageReceived(op=2, at=2.5, backend_id="first", entries=(), last=True)

    assert rules(judge(write, late, log=[A, B])) == {Rule.LIVE}


def test_a_reset_starts_another_history() -> None:
    reset = StoreReset(store="x", invoked_at=10, answered_at=11, backend_id="second")
    lost, kept = push(1, "ok", A, B), push(2, "ok", A, at=20, until=21, backend_id="second")
    before, after = (
        pull(3, "ok", [A, B], at=5, until=6),
        pull(4, "ok", [A], at=25, until=26, backend_id="second"),
    )
    mismatch = Refusal(tag="BackendIdMismatchError", backend_id="second")
    stale = push(5, "fail", C, at=15, until=16, refusal=mismatch)

    history = (lost, before, [reset], stale, kept, after)
    assert judge(*history, log=[A], backend_id="second") == []
    assert Rule.BACKEND_ID in rules(judge(lost, before, kept, after, log=[A], backend_id="second"))


def test_what_was_acknowledged_before_a_reset_must_be_gone() -> None:
    reset = StoreReset(store="x", invoked_at=10, answered_at=11, backend_id="second")

    findings = judge(push(1, "ok", A), [reset], log=[A], backend_id="second")

    assert rules(findings) == {Rule.REFUSED}


def test_an_old_history_may_not_be_read_after_the_reset() -> None:
    reset = StoreReset(store="x", invoked_at=10, answered_at=11, backend_id="second")
    read = pull(2, "ok", [A], at=12, until=13)

    assert rules(judge(push(1, "ok", A), [reset], read, log=[], backend_id="second")) == {
        Rule.BACKEND_ID
    }


def test_findings_say_where_and_what() -> None:
    finding = judge(push(7, "ok", A, B), log=[A])[0]

    assert str(finding) == (
        "[acked] store x, op 7: the push of 2 event(s) a@1 to b@2 by w was acknowledged, "
        "but only a part of it is in the log, without b@2"
    )


def test_each_store_needs_one_final_log() -> None:
    history = History(push(1, "ok", A))
    log = FinalLog(store="x", backend_id="first", entries=(A,))

    with pytest.raises(ValueError, match="one final log"):
        check(history, [])
    with pytest.raises(ValueError, match="one final log"):
        check(history, [log, log])
