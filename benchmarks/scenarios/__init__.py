"""What is measured. A scenario takes a server and a scale and returns named figures.

Every scenario warms up first, asserts that each answer is right, and gives with
``generator_busy`` the share of the time in which the load generator itself was at work.
"""

from collections.abc import Awaitable, Callable

from benchmarks.load import Metrics, Scale
from benchmarks.scenarios import flatness, memory, moving, pulls, pushes, python_client, rpc
from benchmarks.servers import Server

SCENARIOS: dict[str, Callable[[Server, Scale], Awaitable[Metrics]]] = {
    "push_one": pushes.push_one,
    "push_batches": pushes.push_batches,
    "push_http": pushes.push_http,
    "fifty_stores": pushes.fifty_stores,
    "eight_writers": pushes.eight_writers,
    "catch_up_ws": pulls.catch_up_ws,
    "catch_up_http": pulls.catch_up_http,
    "fan_out": pulls.fan_out,
    "idle_memory": memory.idle_memory,
    "flatness": flatness.flatness,
    "moving": moving.moving,
    "python_live": python_client.python_live,
    "rpc_in_process": rpc.rpc_in_process,
}

ONE_ROUND = {"idle_memory"}
"""Memory that one round gave back would hide the next round's growth."""
