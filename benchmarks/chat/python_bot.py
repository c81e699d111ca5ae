"""``python -m benchmarks.chat.python_bot PLAN``: the Python bot under whose load an adapter comes.

A plan is JSON: the adapter to open, a mix, a concurrency or several, seconds, warm-up. The figures
go to stdout as one JSON object; a wrong answer ends the program with a traceback.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from chat_sdk.types import StateAdapter

from benchmarks.chat.python_mixes import MIXES, Caller, subscribed_caller
from benchmarks.load import Metrics, milliseconds, percentile


def main() -> None:
    """Run the plan in the first argument."""
    figures = asyncio.run(_measure(json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(figures) + "\n")


async def _measure(plan: dict[str, Any]) -> Metrics:
    state = ADAPTERS[plan["target"]["adapter"]](plan["target"])
    await state.connect()
    await _settle(state, plan["settleS"])
    figures: Metrics = {"generator_busy": 0.0}
    for concurrency in plan["concurrency"]:
        callers = [await subscribed_caller(state) for _ in range(concurrency)]
        run = ClosedLoop(warm_up_s=plan["warmUpS"], seconds=plan["seconds"])
        await run.go(plan["mix"], callers)
        figures |= run.figures(f"c{concurrency}_")
        figures["generator_busy"] = max(figures["generator_busy"], run.busy)
    await state.disconnect()
    return figures


async def _settle(state: StateAdapter, seconds: float) -> None:
    """Write for a while, so that a new database's files have their size; see ``node/loop.mjs``."""
    end = time.perf_counter() + seconds
    for number in count():
        if time.perf_counter() > end:
            return
        await state.set(f"settle:{number % 100}", {"step": number}, 60_000)


class ClosedLoop:
    """Callers that handle one message after the other, until the time is over.

    Counted is what ended after the warm-up; the loop goes on until that are as many messages as
    there are callers.
    """

    def __init__(self, *, warm_up_s: float, seconds: float) -> None:
        self._warm_up_s, self._seconds = warm_up_s, seconds
        self._latencies: list[float] = []
        self._closed_at = 0.0

    async def go(self, mix: str, callers: list[Caller]) -> None:
        """Keep all callers busy with messages of ``mix``; returns when the last one is done."""
        gc.collect()  # what was made before must not count as this run's latency
        cpu, start = time.process_time(), time.perf_counter()
        self._from = start + self._warm_up_s
        await asyncio.gather(*(self._work(MIXES[mix], caller, len(callers)) for caller in callers))
        self.busy = (time.process_time() - cpu) / (time.perf_counter() - start)

    def figures(self, prefix: str) -> Metrics:
        """Messages per second and the time of one, under the names that the tables use."""
        return {
            f"{prefix}per_s": len(self._latencies) / (self._closed_at - self._from),
            f"{prefix}p50_ms": milliseconds(percentile(self._latencies, 50)),
            f"{prefix}p99_ms": milliseconds(percentile(self._latencies, 99)),
        }

    async def _work(
        self, handle: Callable[[Caller, int], Awaitable[None]], caller: Caller, least: int
    ) -> None:
        before = time.perf_counter()
        for number in count():
            await handle(caller, number)
            after = time.perf_counter()
            if self._closed_at:
                return
            if after >= self._from:
                self._latencies.append(after - before)
            if after >= self._from + self._seconds and len(self._latencies) >= least:
                self._closed_at = after
                return
            before = after


def _ours(target: dict[str, str]) -> StateAdapter:
    import django

    django.setup()
    from chatstate.adapters import DjangoStateAdapter

    return DjangoStateAdapter(target["namespace"])


def _chat_sdk_postgres(target: dict[str, str]) -> StateAdapter:
    from chat_sdk.state.postgres import PostgresStateAdapter

    return PostgresStateAdapter(url=target["url"])


ADAPTERS: dict[str, Callable[[dict[str, str]], StateAdapter]] = {
    "django": _ours,
    "chat_sdk_postgres": _chat_sdk_postgres,
}


if __name__ == "__main__":
    main()
