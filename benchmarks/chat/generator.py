"""The load generators: programs of their own that act as a bot and print their figures."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load import Metrics

NODE_PACKAGE = Path(__file__).resolve().parent / "node"


class LoadFailedError(RuntimeError):
    """A load generator saw a wrong answer, or could not work; the message ends with its stderr."""


async def node_load(plan: Mapping[str, Any]) -> Metrics:
    """Run one plan in the Node bot and return its figures.

    Raises:
        FileNotFoundError: Node is missing.
        LoadFailedError: an adapter gave a wrong answer.
    """
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("the chat benchmark needs Node 20")
    return await _figures([node, str(NODE_PACKAGE / "load.mjs")], plan, os.environ)


async def python_load(plan: Mapping[str, Any], environment: Mapping[str, str]) -> Metrics:
    """Run one plan in the Python bot and return its figures.

    Raises:
        LoadFailedError: an adapter gave a wrong answer.
    """
    command = [sys.executable, "-m", "benchmarks.chat.python_bot"]
    return await _figures(command, plan, environment)


async def _figures(
    command: Sequence[str], plan: Mapping[str, Any], environment: Mapping[str, str]
) -> Metrics:
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(plan),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),  # uvloop takes no other mapping
    )
    try:
        answer, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LoadFailedError(f"{plan} failed:\n{complaint.decode()[-4_000:]}")
    figures: Metrics = json.loads(answer)
    return figures
