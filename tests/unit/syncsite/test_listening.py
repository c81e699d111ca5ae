"""The listening socket."""

import socket

import pytest

from syncsite.errors import StartRefusedError
from syncsite.listening import USER_TIMEOUT_MS, listen


def test_what_connects_inherits_the_user_timeout() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            timeout = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert timeout == USER_TIMEOUT_MS


def test_a_taken_port_is_told_in_one_line() -> None:
    with (
        listen("127.0.0.1", 0) as other,
        pytest.raises(StartRefusedError, match=r"port \d+ on 127.0.0.1 is taken; .* PORT") as told,
    ):
        listen("127.0.0.1", other.getsockname()[1])

    assert "\n" not in str(told.value)


def test_a_port_can_be_taken_again_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        address = first.getsockname()
        with socket.create_connection(address):
            first.accept()[0].close()  # leaves the connection in TIME_WAIT on our side

    listen(*address).close()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.77"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(StartRefusedError, match=host):
        listen(host, 0)
