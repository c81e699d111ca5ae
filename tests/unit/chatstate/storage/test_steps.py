"""Statements in the spelling of each driver."""

from chatstate.storage.steps import Statement


def test_parameters_are_spelt_for_each_driver() -> None:
    statement = Statement("SELECT :now, CAST(:expires AS bigint), '{}'::text WHERE a = :a")

    assert statement.sqlite.startswith("SELECT :now")
    assert statement.postgresql == (
        "SELECT %(now)s, CAST(%(expires)s AS bigint), '{}'::text WHERE a = %(a)s"
    )
