"""RPC in the process beside a WebSocket, both on the same server."""

import asyncio
import json
import secrets
import sys

from benchmarks.load import Metrics, Scale
from benchmarks.scenarios import pulls, pushes
from benchmarks.servers import Server

PROGRAM = "benchmarks.rpc_in_process"


async def rpc_in_process(server: Server, scale: Scale) -> Metrics:
    """Batches of 100 events are pushed and 10,000 pulled: over a WebSocket, then in a process.

    The process stands on the database of the server, which then has nothing to do.
    """
    pushed = await pushes.push_batches(server, scale)
    pulled = await pulls.catch_up_ws(server, scale)
    figures = await _in_process(server, scale)
    return {
        "ws_push_events_per_s": pushed["events_per_s"],
        "ws_pull_events_per_s": pulled["events_per_s"],
        **{f"rpc_{name}": figure for name, figure in figures.items()},
        "generator_busy": max(pushed["generator_busy"], pulled["generator_busy"]),
    }


async def _in_process(server: Server, scale: Scale) -> Metrics:
    store_id = f"rpc-{secrets.token_hex(6)}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", PROGRAM, store_id),
        *(str(scale.seconds), str(scale.catch_up_events)),
        env=dict(server.process.environment()),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{PROGRAM} ended with {process.returncode}")
    figures: Metrics = json.loads(printed)
    return figures
