"""What a commit will write, decided from the rows of the locked stores."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.protocol.errors import BackendIdMismatchError, LivesyncError, ServerAheadError
from livesync.protocol.events import Event
from livesync.storage.engine import Append, Appended
from livesync.storage.plan import Plan, StoreRow, make_plan, mark_new
from tests.factories import make_chain, make_event, make_events

CREATED_AT = "2026-11-21T17:40:00.123Z"


def row(store_id: str = "a", *, head: int = 0, count: int = 0, size: int = 0) -> StoreRow:
    key = sum(map(ord, store_id))
    return StoreRow(key, store_id, 3, f"history of {store_id}", head, count, size)


def plan_of(appends: Sequence[Append], *stores: StoreRow) -> Plan:
    rows = {store.store_id: store for store in stores or [row()]}
    return make_plan(appends, rows, created_at=CREATED_AT)


def append(batch: Sequence[Event], *, to: str = "a", backend_id: str | None = None) -> Append:
    return Append(to, backend_id, batch)


def test_a_batch_becomes_rows_that_carry_on_the_count() -> None:
    store = row(head=5, count=3, size=100)
    batch = make_chain(6, 9, after=5, name="né", args='"é"')

    plan = plan_of([append(batch)], store)

    assert plan.outcomes == [Appended("a", "history of a", 5, 9, batch, CREATED_AT)]
    assert [(r.seq_num, r.parent_seq_num, r.ordinal) for r in plan.rows] == [(6, 5, 4), (9, 6, 5)]
    assert {(r.store_key, r.generation, r.created_at) for r in plan.rows} == {(97, 3, CREATED_AT)}
    assert plan.moved == [store]
    assert (store.head, store.event_count, store.byte_count) == (9, 5, 100 + 2 * (3 + 4))


def test_what_the_client_sent_is_stored_as_it_is() -> None:
    event = make_event(1, name="n", args=None, client_id="c", session_id="s")

    (stored,) = plan_of([append([event])]).rows

    assert (stored.name, stored.args, stored.client_id, stored.session_id) == ("n", None, "c", "s")


def test_appends_to_one_store_see_the_head_that_those_before_them_leave() -> None:
    first, second = make_events(2), make_events(1, after=2)

    plan = plan_of([append(first), append(second), append(second)])

    appended, follower, late = plan.outcomes
    assert isinstance(appended, Appended)
    assert isinstance(follower, Appended)
    assert (appended.head, follower.parent, follower.head) == (2, 2, 3)
    assert isinstance(late, ServerAheadError)
    assert (late.expected, late.provided) == (3, 2)
    assert [r.ordinal for r in plan.rows] == [1, 2, 3]
    assert [store.head for store in plan.moved] == [3]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (append(make_events(2, after=7)), ServerAheadError),
        (append(make_events(2), backend_id="another"), BackendIdMismatchError),
    ],
)
def test_a_refused_append_changes_nothing_and_harms_no_neighbour(
    bad: Append, error: type[LivesyncError]
) -> None:
    good = append(make_events(1))

    plan = plan_of([bad, good, bad])

    refusal, appended, again = plan.outcomes
    assert type(refusal) is type(again) is error
    assert isinstance(appended, Appended)
    assert len(plan.rows) == 1


def test_a_store_whose_appends_were_all_refused_is_not_written() -> None:
    store = row()

    plan = plan_of([append(make_events(1, after=7))], store)

    assert (plan.rows, plan.moved) == ([], [])
    assert store == row()


def test_an_empty_batch_asks_for_no_more_than_the_store() -> None:
    store = row(head=5, count=3)

    # the reference asks for no backend id here either
    plan = plan_of([append([], backend_id="another history")], store)

    assert plan.outcomes == [Appended("a", "history of a", 5, 5, [], CREATED_AT)]
    assert (plan.rows, plan.moved) == ([], [])


def test_stores_do_not_mix() -> None:
    a, b = row("a", head=1, count=1), row("b")

    plan = plan_of([append(make_events(1), to="b"), append(make_events(1, after=1))], a, b)

    assert [(r.store_key, r.seq_num, r.ordinal) for r in plan.rows] == [(98, 1, 1), (97, 2, 2)]
    assert plan.moved == [b, a]
    assert plan.store_ids == ["a", "b"]


pushes = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.integers(0, 6),
        st.sampled_from([None, "history of a"]),
    ),
    max_size=12,
)


@given(pushes)
def test_any_run_of_appends_is_decided_as_if_they_came_one_by_one(pushes: Any) -> None:
    heads, logs = {"a": 0, "b": 0}, {"a": [], "b": []}  # type: ignore[var-annotated]
    appends = [
        append(make_events(count, after=parent), to=store_id, backend_id=backend_id)
        for store_id, count, parent, backend_id in pushes
    ]

    plan = plan_of(appends, row("a"), row("b"))

    for (store_id, count, parent, backend_id), outcome in zip(pushes, plan.outcomes, strict=True):
        if not count:
            assert isinstance(outcome, Appended)
        elif backend_id not in (None, f"history of {store_id}"):
            assert isinstance(outcome, BackendIdMismatchError)
        elif parent != heads[store_id]:
            assert isinstance(outcome, ServerAheadError)
        else:
            assert isinstance(outcome, Appended)
            heads[store_id] = outcome.head
            logs[store_id] += [event.seq_num for event in outcome.batch]
    for store_id, key in (("a", 97), ("b", 98)):
        rows = [r for r in plan.rows if r.store_key == key]
        assert [r.seq_num for r in rows] == logs[store_id]
        assert [r.ordinal for r in rows] == list(range(1, len(rows) + 1))
    assert {store.store_id: store.head for store in plan.moved} == {
        store_id: heads[store_id] for store_id, log in logs.items() if log
    }


def test_the_first_append_to_a_new_store_made_it() -> None:
    rows = mark_new({"a": row("a"), "b": row("b")}, ["history of a"])

    plan = plan_of([append([]), append(make_events(1)), append([], to="b")], *rows.values())

    made = [one.made_store for one in plan.outcomes if isinstance(one, Appended)]
    assert made == [True, False, False]
