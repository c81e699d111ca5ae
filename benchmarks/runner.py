"""Run scenarios in rounds, the servers taking turns, and keep the medians."""

import asyncio
import gc
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import Metrics, Scale, medians
from benchmarks.profiler import profiled
from benchmarks.servers import GENERATOR_CPU, pinned
from benchmarks.suite import Results, Scenario, Suite

ROUND_TIMEOUT_S = 240


def run(
    suite: Suite,
    name: str,
    server_names: Iterable[str],
    scale: Scale,
    *,
    profiles: Path | None = None,
) -> Results:
    """Run one scenario on fresh servers, which take turns in every round.

    With ``profiles``, our servers' flame graphs go into that directory.

    Raises:
        WireError, LoadFailedError: a server gave a wrong answer.
        TimeoutError: a round took longer than ``ROUND_TIMEOUT_S``.
        ServerFailedError: a server did not start.
    """
    with ExitStack() as stack:
        servers = [stack.enter_context(suite.servers[kind]()) for kind in server_names]
        rounds: dict[str, list[Metrics]] = {server.name: [] for server in servers}
        for server in servers:
            if profiles and server.name in suite.ours:
                target = profiles / f"{name}-{server.name}.svg"
                stack.enter_context(profiled(server.process.pid, target))
        for _ in range(1 if name in suite.one_round else scale.rounds):
            for server in servers:
                rounds[server.name].append(_measure(suite.scenarios[name], server, scale))
    return {kind: medians(metrics) for kind, metrics in rounds.items()}


def _measure(scenario: Scenario, server: Any, scale: Scale) -> Metrics:
    async def measure() -> Metrics:
        async with asyncio.timeout(ROUND_TIMEOUT_S):
            return await scenario(server, scale)

    # the generator's own collections must not count as the server's latency
    gc.collect()
    gc.disable()
    try:
        with pinned(GENERATOR_CPU):
            return uvloop.run(measure())
    finally:
        gc.enable()
