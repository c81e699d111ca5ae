"""Statements in the spelling of each driver."""

from chatstate.storage.steps import Statement


def test_parameters_are_spelt_for_each_driver() -> None:
    statement = Statement(
        "SELECT :now, CAST(:expires AS bigint), '{}'::text WHERE a = :a AND b > :now"
    )

    assert statement.sqlite == ("SELECT ?1, CAST(?2 AS bigint), '{}'::text WHERE a = ?3 AND b > ?1")
    assert statement.in_order({"a": 3, "expires": 2, "more": 4, "now": 1}) == (1, 2, 3)
    assert statement.postgresql == (
        "SELECT %(now)s, CAST(%(expires)s AS bigint), '{}'::text WHERE a = %(a)s AND b > %(now)s"
    )


def test_what_tells_a_change_returns_a_row_on_postgresql() -> None:
    statement = Statement("DELETE FROM a", tells_change=True)

    assert statement.sqlite == "DELETE FROM a"
    assert statement.in_order({"more": 1}) == ()
    assert statement.postgresql == "DELETE FROM a RETURNING 1"
