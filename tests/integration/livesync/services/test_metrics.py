"""What is counted while events are pushed and pulled."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from livesync.protocol.errors import BackendIdMismatchError, ServerAheadError
from livesync.services import append
from livesync.services.append import get_writer
from livesync.services.gauges import set_gauges
from livesync.services.hub import get_hub
from livesync.services.pull import read_pages
from tests.factories import make_events
from tests.integration.livesync.conftest import Store

AHEAD = {"error": "ServerAheadError"}
MISMATCH = {"error": "BackendIdMismatchError"}


class Since:
    """How far each metric has moved since this object was made."""

    def __init__(self) -> None:
        self._before = {
            (sample.name, *sample.labels.items()): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }

    def __call__(self, name: str, labels: dict[str, str] | None = None) -> float:
        now = REGISTRY.get_sample_value(f"livesync_{name}", labels)
        assert now is not None
        return now - self._before[f"livesync_{name}", *(labels or {}).items()]


async def test_pushes_and_their_events_are_counted_when_they_are_stored(store: Store) -> None:
    since = Since()

    await store.push(make_events(3))
    await store.push(make_events(2, after=3))

    assert (since("pushes_total"), since("push_events_total")) == (2, 5)
    assert 1 <= since("commit_duration_seconds_count") <= 3


async def test_conflicts_are_counted_by_their_error(store: Store) -> None:
    await store.push(make_events(3))
    since = Since()

    with pytest.raises(ServerAheadError):
        await store.push(make_events(1))
    with pytest.raises(BackendIdMismatchError):
        await store.push(make_events(1, after=3), backend_id="another")

    assert since("push_conflicts_total", AHEAD) == 1
    assert since("push_conflicts_total", MISMATCH) == 1
    assert since("pushes_total") == 0


async def test_a_transaction_that_fails_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def commit(self, appends: Any) -> Any:
            raise ValueError("broken")

    since = Since()

    with pytest.raises(ValueError, match="broken"):
        append._commit(Broken(), [])  # type: ignore[arg-type] # all that is asked of it here

    assert since("commit_faults_total") == 1


async def test_a_push_that_finds_no_room_is_counted(store: Store) -> None:
    since = Since()

    append._overloaded()

    assert since("push_overloads_total") == 1


async def test_reads_are_timed_and_counted(store: Store) -> None:
    await store.push(make_events(3))
    since = Since()

    pages = [page async for page in read_pages(store.id, None, 1)]

    assert len(pages) == 1
    assert since("read_events_total") == 2
    assert since("read_duration_seconds_count") == 1
    assert since("client_ahead_total") == 0


async def test_a_client_that_is_ahead_is_counted(store: Store) -> None:
    await store.push(make_events(3))
    since = Since()

    _ = [page async for page in read_pages(store.id, None, 9)]

    assert since("client_ahead_total") == 1


async def test_gauges_say_how_the_process_stands(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = get_hub()
    monkeypatch.setattr(hub, "count", lambda: 7)
    monkeypatch.setattr(type(hub), "is_degraded", True)
    monkeypatch.setattr(get_writer(), "_pending_bytes", 1_234)

    set_gauges()

    assert REGISTRY.get_sample_value("livesync_live_pulls") == 7
    assert REGISTRY.get_sample_value("livesync_hints_degraded_processes") == 1
    assert REGISTRY.get_sample_value("livesync_push_pending_bytes") == 1_234
