"""A program that calls a store by RPC in its own process: how fast it pushes and pulls.

``python -m benchmarks.rpc_in_process STORE SECONDS EVENTS`` runs with a site's environment, on that
site's database, and prints its figures as JSON. Requests are made, and answers are checked, while
no clock runs; a client in another process does that on another CPU.
"""

import gc
import json
import os
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncsite.settings")
django.setup()

import uvloop  # noqa: E402 (needs the set-up above)

from benchmarks import wire  # noqa: E402
from livesync.protocol import records  # noqa: E402
from livesync.services.append import get_writer  # noqa: E402
from livesync.services.hub import get_hub  # noqa: E402
from livesync.storage import get_readers  # noqa: E402
from livesync.transports.rpc import StoreRpc  # noqa: E402

BATCH = 100
BATCHES_AT_A_TIME = 50
PUSHED = {"_tag": "Success", "value": {}}


async def push(store: StoreRpc, store_id: str, *, after: int, batches: int) -> float:
    """Push batches of 100 events, one after the other; how long that took."""
    requests = [
        _request("Push", store_id, _push_members(after + BATCH * number))
        for number in range(batches)
    ]
    started_at = time.perf_counter()
    answers = [await store.rpc(request) for request in requests]
    seconds = time.perf_counter() - started_at
    for answer in answers:
        assert isinstance(answer, bytes)
        (message,) = _decode(answer)
        if message["exit"] != PUSHED:
            raise wire.WireError(f"a push was answered {message}")
    return seconds


async def pull(store: StoreRpc, store_id: str, *, events: int) -> float:
    """Pull the whole store; how long that took."""
    request = _request("Pull", store_id, '"cursor":{"_tag":"None"}')
    started_at = time.perf_counter()
    stream = await store.rpc(request)
    assert not isinstance(stream, bytes)
    messages = [data async for data in stream]
    seconds = time.perf_counter() - started_at
    numbers = [
        item["eventEncoded"]["seqNum"]
        for data in messages[:-1]
        for item in _decode(data)[0]["values"][0]["batch"]
    ]
    if numbers != list(range(1, events + 1)):
        raise wire.WireError(f"{len(numbers)} events came of {events}, or not in their order")
    return seconds


async def measure(store_id: str, seconds: float, events: int) -> dict[str, float]:
    """Fill the store, push for a while, then pull as many events as it was filled with."""
    async with StoreRpc(store_id) as store, StoreRpc(f"{store_id}-pushed") as pushed:
        await push(store, store_id, after=0, batches=events // BATCH)
        head, spent = 0, 0.0
        while spent < seconds:
            batches = BATCHES_AT_A_TIME
            spent += await push(pushed, f"{store_id}-pushed", after=head, batches=batches)
            head += BATCH * batches
        await pull(store, store_id, events=events)
        pulls = [await pull(store, store_id, events=events) for _ in range(5)]
    await get_hub().stop()
    return {
        "push_events_per_s": head / spent,
        "pull_events_per_s": events / sorted(pulls)[len(pulls) // 2],
    }


def _push_members(after: int) -> str:
    batch = wire.encode_events(BATCH, after=after)
    return f'"batch":{batch},"backendId":{{"_tag":"None"}}'


def _request(procedure: str, store_id: str, members: str) -> bytes:
    payload = f'{{"storeId":{json.dumps(store_id)},{members}}}'
    return records.from_json(
        f'[{{"_tag":"Request","id":"1","tag":"SyncDoRpc.{procedure}","payload":{payload},'
        f'{wire.TRACE},"headers":[]}}]'
    )


def _decode(data: bytes) -> Any:
    return json.loads(records.to_json(data, max_chars=10_000_000, max_depth=64))


def main() -> None:
    store_id, seconds, events = sys.argv[1:]
    gc.freeze()
    gc.disable()  # as in the load generator; a server collects seldom
    print(json.dumps(uvloop.run(measure(store_id, float(seconds), int(events)))))
    get_writer().stop()
    get_readers().stop()


if __name__ == "__main__":
    main()
