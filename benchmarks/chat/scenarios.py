"""What is measured: a scenario takes a backend and a scale and has a bot of its own do the work."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.chat.backends import Backend
from benchmarks.chat.generator import node_load, python_load
from benchmarks.load import Metrics, Scale

CONCURRENCY = (1, 16, 64)
"""How many messages a bot handles at the same time; for methods, how many calls are under way."""

METHOD_SHARE = 0.2
"""A method gets this share of a mix's time: there are 16, each at three concurrencies."""

PYTHON_MIXES = ("light", "ai")


async def chat_light(backend: Backend, scale: Scale) -> Metrics:
    """Messages of 4 calls: a bot that only posts."""
    return await _mix("light", backend, scale)


async def chat_ai(backend: Backend, scale: Scale) -> Metrics:
    """Messages of 14 calls: a bot with history, thread state and transcripts."""
    return await _mix("ai", backend, scale)


async def chat_queue(backend: Backend, scale: Scale) -> Metrics:
    """Four messages in 22 calls: one is handled, three arrive meanwhile and are queued."""
    return await _mix("queue", backend, scale)


async def chat_lock(backend: Backend, scale: Scale) -> Metrics:
    """Rounds in which 64 ask for one lock at once: exactly one gets it, and releases it."""
    return await node_load(_plan("contention", backend, scale))


async def chat_methods(backend: Backend, scale: Scale) -> Metrics:
    """Every method for itself."""
    return await node_load(_plan("methods", backend, scale, share=METHOD_SHARE))


async def chat_python(backend: Backend, scale: Scale) -> Metrics:
    """The same messages by a Python bot, the adapter in its own process."""
    figures: Metrics = {}
    for mix in PYTHON_MIXES:
        plan = {**_plan("mix", backend, scale), "mix": mix}
        run = await python_load(plan, backend.environment)
        busy = max(figures.get("generator_busy", 0.0), run.pop("generator_busy"))
        figures |= {f"{mix}_{name}": value for name, value in run.items()}
        figures["generator_busy"] = busy
    return figures


async def _mix(mix: str, backend: Backend, scale: Scale) -> Metrics:
    return await node_load({**_plan("mix", backend, scale), "mix": mix})


def _plan(load: str, backend: Backend, scale: Scale, *, share: float = 1.0) -> dict[str, Any]:
    settle_s = 0.0 if backend.is_settled else scale.warm_up_s
    backend.is_settled = True
    return {
        "target": backend.target,
        "load": load,
        "settleS": settle_s,
        "concurrency": CONCURRENCY,
        "seconds": scale.seconds * share,
        "warmUpS": scale.warm_up_s * share,
    }


SCENARIOS: dict[str, Callable[[Backend, Scale], Awaitable[Metrics]]] = {
    "chat_light": chat_light,
    "chat_ai": chat_ai,
    "chat_queue": chat_queue,
    "chat_lock": chat_lock,
    "chat_methods": chat_methods,
    "chat_python": chat_python,
}
