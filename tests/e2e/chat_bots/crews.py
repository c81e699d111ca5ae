"""Which bots the scenarios run with: each one's Chat SDK, and the state that they share.

A crew is named after its members, a member after its Chat SDK and how it reaches the state:

- ``node`` is npm's chat, ``python`` chat-sdk under the tests' own Python, ``newer-python`` its
  newest release;
- ``memory`` is the memory adapter of that Chat SDK, which shows what the scenarios may expect;
  ``remote`` is our adapter at a site, ``cluster`` at one of two workers on PostgreSQL (in Node with
  the platform's own WebSocket), ``direct`` the in-process adapter on the site's own database.
"""

from dataclasses import dataclass
from typing import Any

from tests.e2e.chat_bots.driver import Bot, BotProcess, State
from tests.site_process import SiteProcess

NAMESPACE = "bots"

NODE_CREWS = ["node-memory", "node-remote", "node-cluster"]
PYTHON_CREWS = ["python-memory", "python-remote", "python-direct"]
NEWER_PYTHON_CREWS = ["newer-python-memory", "newer-python-remote", "newer-python-direct"]

OLD_MIXED_CREWS = [
    "node-remote+python-remote",
    "python-remote+node-remote",
    "python-direct+node-remote",
]
MODERN_MIXED_CREWS = ["newer-python-remote+node-remote", "node-remote+newer-python-direct"]

MODERN_CREWS = [*NODE_CREWS, *NEWER_PYTHON_CREWS, *MODERN_MIXED_CREWS]
"""Of Chat SDK 4.41, which has burst, heartbeats and transcripts; 4.27 has none of them."""

HEARTBEAT_CREWS = ["node-memory", "node-remote", "newer-python-remote", "newer-python-direct"]
"""Modern ones for what takes seconds: the heartbeat is Chat SDK's, and ours is one call of it."""

CREWS = [*MODERN_CREWS, *PYTHON_CREWS, *OLD_MIXED_CREWS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A process for bots, and the state adapter that they get."""

    process: BotProcess
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Two members whose bots share one state; one member twice where that is memory.

    Attributes:
        is_modern: whether both are of Chat SDK 4.41; else one is of 4.27.
    """

    first: Member
    second: Member
    is_modern: bool

    async def bot(self, **options: Any) -> Bot:
        """One bot; options as in ``BotProcess.open``."""
        return await self.first.process.open(state=self.first.state, **options)

    async def pair(self, **options: Any) -> tuple[Bot, Bot]:
        """Two bots, in both processes."""
        first, second = self.first, self.second
        return (
            await first.process.open(state=first.state, **options),
            await second.process.open(state=second.state, **options),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSite:
    """A served site, and a token of the bots' namespace there."""

    process: SiteProcess
    token: str

    @classmethod
    def of(cls, process: SiteProcess) -> "BotSite":
        """Make a token at a running site."""
        told = process.manage("create_chat_token", NAMESPACE)
        return cls(process=process, token=told.split()[-1])

    @property
    def remote(self) -> State:
        """The state adapter of a bot that reaches the site over a socket."""
        return {"kind": "remote", "url": self.process.ws_url, "token": self.token}


DIRECT: State = {"kind": "direct", "namespace": NAMESPACE}
"""The state adapter of a Python bot that has the site's database at hand."""
