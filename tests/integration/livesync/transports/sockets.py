"""What tests of sockets have in common."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from livesync.services.append import get_writer
from tests.clients import ClosedError, Socket

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


async def code_of_close(client: Socket) -> int:
    """Pass over what comes before the close."""
    try:
        while True:
            await client.receive()
    except ClosedError as closed:
        return closed.code


@contextmanager
def held_commits() -> Iterator[threading.Event]:
    """Hold up the writer until the event is set, or the block ends."""
    writer, gate = get_writer(), threading.Event()
    commit = writer._commit

    def wait(jobs: Any) -> Any:
        assert gate.wait(20)
        return commit(jobs)

    writer._commit = wait
    try:
        yield gate
    finally:
        gate.set()
        writer._commit = commit


def request(request_id: str, tag: str, payload: dict[str, Any], store_id: str = "store") -> Any:
    payload = {"storeId": store_id} | payload
    return {"_tag": "Request", "id": request_id, "tag": tag, "payload": payload}
