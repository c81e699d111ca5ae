"""Real Chat SDK bots, in TypeScript and Python, as processes that tests drive.

``NodeBots`` and ``PythonBots`` are processes that hold any number of bots; both speak the same
commands, so that one scenario runs with either. A bot's platform is a fake one in its process.
"""

from tests.e2e.chat_bots.driver import (
    Bot,
    BotProcess,
    Concurrency,
    Delivery,
    NodeBots,
    Post,
    PythonBots,
    Run,
    State,
    eventually,
)

__all__ = [
    "Bot",
    "BotProcess",
    "Concurrency",
    "Delivery",
    "NodeBots",
    "Post",
    "PythonBots",
    "Run",
    "State",
    "eventually",
]
