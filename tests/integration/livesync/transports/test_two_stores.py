"""A connection speaks for the store of its URL: the 72 ways to try another, and none gets there.

Source: the decision that the store of the handshake is the only one a connection can reach.
"""

from typing import Any

import pytest

from livesync.services import stores
from livesync.storage import get_readers
from tests.factories import make_events, wire_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.ways import ask, request

OWN = "caf\u00e9"
TARGETS = {
    "same": OWN,
    "other existing": "neighbour",
    "other new": "newcomer",
    "unicode twin": "cafe\u0301",
}
EXISTING = {"other existing", "unicode twin"}
MARK = "canary-7f3a"
BATCH = wire_events(make_events(1, client_id="intruder"))


async def _backend_id(store_id: str) -> str:
    return await Store(store_id).backend_id()


async def _everything() -> dict[str, tuple[str, list[int]]]:
    """Each store there is: its backend id, its events."""
    names = await get_readers().run(lambda: list(stores.all_store_ids()))
    return {name: (await _backend_id(name), await Store(name).numbers()) for name in names}


@pytest.fixture
async def before(store: Store) -> dict[str, tuple[str, list[int]]]:
    """An empty store of one's own, and two of others with events that nobody else may see."""
    await Store(OWN).push([])
    for target in EXISTING:
        events = make_events(3, name=MARK, args=f'"{MARK}"', client_id=MARK)
        await Store(TARGETS[target]).push(events)
    return await _everything()


def _message(way: str, deed: str, store_id: str) -> dict[str, Any]:
    if deed == "ping" and way == "ws":
        return {"_tag": "Ping", "id": "1", "payload": {"storeId": store_id}}
    return request(way, deed.capitalize(), store_id, **({"batch": BATCH} if deed == "push" else {}))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("deed", ["push", "pull", "ping"])
@pytest.mark.parametrize("way", ["ws", "http", "in process"])
async def test_a_message_reaches_the_store_of_its_connection_or_none(
    before: dict[str, tuple[str, list[int]]],
    caplog: pytest.LogCaptureFixture,
    way: str,
    deed: str,
    target: str,
) -> None:
    message = _message(way, deed, TARGETS[target])
    caplog.clear()

    heard = await ask(way, OWN, message)

    after = await _everything()
    others = {name: found for name, found in before.items() if name != OWN}
    assert {name: found for name, found in after.items() if name != OWN} == others
    for secret in (MARK, *(backend_id for backend_id, _ in others.values())):
        assert secret not in heard
        assert secret not in caplog.text
    if target == "same":
        assert '"Success"' in heard or '"Pong"' in heard
        assert after[OWN][1] == ([1] if deed == "push" else [])
    else:
        assert after == before
        assert TARGETS[target] not in heard + caplog.text
        if (way, deed) != ("ws", "ping"):  # a Ping of a socket names no store that anybody reads
            assert _is_refused(way, heard)


def _is_refused(way: str, heard: str) -> bool:
    if way == "http":
        return heard.startswith("403 ")
    if way == "ws":
        return "StoreMismatchError" in heard and heard.endswith("closed with 1008")
    return "StoreMismatchError" in heard
