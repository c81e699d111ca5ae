"""The thread that sync clients share."""

import os

import pytest

from livesync.client import Client
from livesync.client.background import Background


def test_clients_share_one_until_the_last_is_closed() -> None:
    first = Background.borrow()
    second = Background.borrow()
    second.give_back()
    third = Background.borrow()
    for borrowed in (first, third):
        borrowed.give_back()
    fourth = Background.borrow()
    fourth.give_back()

    assert first is second is third
    assert fourth is not first


def test_the_child_of_a_fork_is_told_to_make_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with Client("notes", "ws://localhost") as client, monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        with pytest.raises(RuntimeError, match="behind the fork"):
            client.pull()
        child.undo()


async def test_on_an_event_loop_nothing_waits() -> None:
    client = Client("notes", "ws://localhost")
    with pytest.raises(RuntimeError, match="AsyncClient"):
        client.pull()
    client._background.give_back()
