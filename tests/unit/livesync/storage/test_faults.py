"""A fault goes to clients without the words of the database."""

from livesync.protocol import rpc
from livesync.storage.faults import unavailable


def test_a_client_is_not_told_the_words_of_the_database() -> None:
    error = unavailable(OSError('FATAL: role "secret_user" does not exist'))

    assert "secret_user" not in rpc.exit_fail("1", error)
