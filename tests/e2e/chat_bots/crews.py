"""Which bots the scenarios run with: a language's Chat SDK, and the state that its bots share."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.chat_bots.driver import Bot, BotProcess, PythonBots, State
from tests.e2e.chat_bots.newer_python import newer_python
from tests.site_process import SiteProcess

NAMESPACE = "bots"


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSite:
    """A served site, and a token of the bots' namespace there."""

    process: SiteProcess
    token: str

    @classmethod
    def of(cls, process: SiteProcess) -> "BotSite":
        """Make a token at a running site."""
        return cls(process=process, token=make_token(process))

    @property
    def remote(self) -> State:
        """The state adapter of a bot that reaches the site over a socket."""
        return {"kind": "django", "url": self.process.ws_url, "token": self.token}


def make_token(process: SiteProcess) -> str:
    """A new token that may do everything in ``NAMESPACE``."""
    return process.manage("create_chat_token", NAMESPACE).strip().splitlines()[-1]


DIRECT: State = {"kind": "direct", "namespace": NAMESPACE}
"""The state adapter of a Python bot that has the site's database at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Two processes whose bots share one state; one process where that state is memory.

    Attributes:
        state: the adapter that each bot gets.
        processes: where the first and the second bot live.
        is_modern: Chat SDK 4.41, which has burst, heartbeats and transcripts; else 4.27.
        is_durable: whether the state outlives the bots.
    """

    state: State
    processes: tuple[BotProcess, BotProcess]
    is_modern: bool
    is_durable: bool

    async def bot(self, **options: Any) -> Bot:
        """One bot; options as in ``BotProcess.open``."""
        return await self.processes[0].open(state=self.state, **options)

    async def pair(self, **options: Any) -> tuple[Bot, Bot]:
        """Two bots, in both processes."""
        first, second = self.processes
        return (
            await first.open(state=self.state, **options),
            await second.open(state=self.state, **options),
        )


def python_bots(*, is_modern: bool, environment: Mapping[str, str] | None = None) -> PythonBots:
    """A process for Python's Chat SDK, the newest or that of Python 3.11.

    Raises:
        NoNewerPythonError: there is no Python for the newest.
    """
    if is_modern:
        return PythonBots(python=newer_python(), environment=environment)
    return PythonBots(environment=environment)


@contextlib.asynccontextmanager
async def crew_in_memory(make: Callable[[], BotProcess], *, is_modern: bool) -> AsyncIterator[Crew]:
    """Bots on the memory adapter of their own Chat SDK, which shows what the scenarios expect."""
    async with make() as process:
        yield Crew(
            state={"kind": "memory", "name": uuid.uuid4().hex},
            processes=(process, process),
            is_modern=is_modern,
            is_durable=False,
        )


@contextlib.asynccontextmanager
async def crew_on_site(
    state: State, make: Callable[[], BotProcess], *, is_modern: bool
) -> AsyncIterator[Crew]:
    """Bots in two processes, on our state."""
    async with make() as first, make() as second:
        yield Crew(state=state, processes=(first, second), is_modern=is_modern, is_durable=True)


NODE_CREWS = ["node-memory"]
PYTHON_CREWS = ["python-memory"]
NEWER_PYTHON_CREWS = ["newer-python-memory"]

MODERN_CREWS = [*NODE_CREWS, *NEWER_PYTHON_CREWS]
CREWS = [*MODERN_CREWS, *PYTHON_CREWS]
