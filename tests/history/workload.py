"""Workload W: writers, live readers and pollers on a few stores, while faults happen.

It knows nothing of the server but the wire protocol and where it listens.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.history.checker import check
from tests.history.clients import Client, FinalReader, LiveReader, Poller
from tests.history.history import FinalLog, History, PullEnded, Recorder
from tests.history.wire import Cursor
from tests.history.writers import HttpWriter, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who does what, and for how long."""

    urls: tuple[str, ...]
    """The servers, such as ``http://127.0.0.1:8000``; each client takes one whenever it dials."""

    acked_pushes: int
    """The run goes on until so many were acknowledged and the faults are over."""

    stores: tuple[str, ...] = ("w-store-1", "w-store-2")
    """Store ids; they should be new to the server."""

    writers: int = 8
    """Over WebSocket, spread over the stores."""

    http_writers: int = 0
    """As many more over HTTP."""

    live_readers: int = 4
    """Of each store."""

    pollers: int = 2
    """Over HTTP, spread over the stores."""

    most_events: int = 20
    """In one batch."""

    batches_per_s: float = 20.0
    """Mean rate of each writer."""

    poll_interval_s: float = 0.2

    seed: int = 0

    deadline_s: float = 600.0
    """For the whole run, with the time that the readers need to catch up in the end."""


class Progress:
    """What the faults may wait for while the workload runs."""

    def __init__(self) -> None:
        self.acked = 0
        self._changed = asyncio.Event()

    def count(self) -> None:
        self.acked += 1
        self._changed.set()

    async def reach(self, acked: int) -> None:
        """Wait until so many pushes were acknowledged since the start."""
        while self.acked < acked:
            self._changed.clear()
            await self._changed.wait()


Faults = Callable[[Progress], Awaitable[None]]
"""Runs beside the workload; the servers must all be up when it returns."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that is over."""

    history: History
    logs: tuple[FinalLog, ...]
    late: tuple[str, ...]
    """Live readers that had not seen everything when the time was up."""

    def findings(self) -> list[str]:
        """Everything that is wrong, as text; empty when all is well."""
        late = [f"[live] {name} had not caught up when the time was up" for name in self.late]
        return [str(finding) for finding in check(self.history, self.logs)] + late

    def counts(self) -> Counter[str]:
        """How often each thing happened, such as ``push ok`` or ``live pull fail UnknownError``."""
        counts: Counter[str] = Counter()
        for push in self.history.pushes():
            tag = f" {push.refusal.tag}" if push.refusal else ""
            counts[f"push {push.outcome}{tag}"] += 1
        for pull in self.history.pulls():
            refusal = pull.ended.refusal if pull.ended else None
            kind = "live pull" if pull.invoked.live else "pull"
            counts[f"{kind} {pull.outcome}{f' {refusal.tag}' if refusal else ''}"] += 1
        return counts


async def run_workload(
    plan: Plan, *, faults: Faults | None = None, history_file: Path | None = None
) -> Outcome:
    """Run the workload to its end, with the final logs read over the wire.

    Args:
        plan: who does what.
        faults: what goes wrong meanwhile.
        history_file: where the history is also written, record by record, and the logs at last.

    Raises:
        TimeoutError: the run did not come to its end within the plan's deadline, other than
            through late live readers.
    """
    recorder = Recorder(history_file)
    try:
        async with asyncio.timeout(plan.deadline_s):
            return await _Run(plan, recorder).run(faults)
    except TimeoutError:
        raise TimeoutError(_how_far(plan, recorder.history)) from None
    finally:
        recorder.close()


def _how_far(plan: Plan, history: History) -> str:
    acked = sum(push.outcome == "ok" for push in history.pushes())
    notes = [record.note for record in history.records if isinstance(record, PullEnded)]
    return (
        f"not over in {plan.deadline_s:g} s: {acked} of {plan.acked_pushes} pushes acknowledged; "
        f"the last pull ended with {notes[-1] if notes else 'nothing'!r}"
    )


class _Run:
    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._plan = plan
        self._recorder = recorder
        self._progress = Progress()
        self._faults_are_over = False
        self._give_up_at = asyncio.get_running_loop().time() + plan.deadline_s * 0.9

    async def run(self, faults: Faults | None) -> Outcome:
        readers = [
            LiveReader(f"live{number}", **self._client(number))
            for number in range(self._plan.live_readers * len(self._plan.stores))
        ]
        async with asyncio.TaskGroup() as live:
            open_pulls = [live.create_task(self._work(reader)) for reader in readers]
            await self._write_and_poll(faults)
            logs = [await self._read_log(store) for store in self._plan.stores]
            late = await self._late(readers, logs)
            for task in open_pulls:
                task.cancel()
        self._recorder.write(*logs)
        return Outcome(self._recorder.history, tuple(logs), tuple(late))

    async def _write_and_poll(self, faults: Faults | None) -> None:
        async with asyncio.TaskGroup() as group:
            for client in (*self._writers(), *self._pollers()):
                group.create_task(self._work(client))
            group.create_task(self._fail(faults))

    def _client(self, number: int) -> dict[str, Any]:
        return {
            "urls": self._plan.urls,
            "store": self._plan.stores[number % len(self._plan.stores)],
            "recorder": self._recorder,
            "seed": str(self._plan.seed),
        }

    def _writers(self) -> list[Client]:
        kinds = [Writer] * self._plan.writers + [HttpWriter] * self._plan.http_writers
        return [
            kind(
                f"w{number}",
                batches_per_s=self._plan.batches_per_s,
                most_events=self._plan.most_events,
                acked=self._progress.count,
                is_enough=self._is_enough,
                **self._client(number),
            )
            for number, kind in enumerate(kinds)
        ]

    def _pollers(self) -> list[Client]:
        return [
            Poller(
                f"poll{number}",
                interval_s=self._plan.poll_interval_s,
                is_enough=self._is_enough,
                **self._client(number),
            )
            for number in range(self._plan.pollers)
        ]

    async def _work(self, client: Client) -> None:
        try:
            await client.run()
        finally:
            await client.close()

    async def _fail(self, faults: Faults | None) -> None:
        if faults:
            await faults(self._progress)
        self._faults_are_over = True

    def _is_enough(self) -> bool:
        return self._faults_are_over and self._progress.acked >= self._plan.acked_pushes

    async def _read_log(self, store: str) -> FinalLog:
        number = self._plan.stores.index(store)
        reader = FinalReader(f"final{number}", **self._client(number))
        await self._work(reader)
        return reader.log

    async def _late(self, readers: list[LiveReader], logs: list[FinalLog]) -> list[str]:
        ends = {
            log.store: Cursor(log.backend_id, log.entries[-1].seq if log.entries else 0)
            for log in logs
        }
        waits = {
            reader.name: asyncio.ensure_future(reader.reach(ends[reader.store]))
            for reader in readers
        }
        loop = asyncio.get_running_loop()
        await asyncio.wait(waits.values(), timeout=max(0.0, self._give_up_at - loop.time()))
        late = [name for name, wait in waits.items() if not wait.done()]
        for reader in readers:
            reader.is_over = True
        for wait in waits.values():
            wait.cancel()
        return late
