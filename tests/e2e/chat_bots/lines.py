"""Commands come in and answers go out, one JSON object a line, as in ``../js/lines.mjs``.

    in    {"id": 3, "op": "deliver", ...arguments}
    out   {"id": 3, "ok": ...}                       a command's value,
          {"id": 3, "error": {"_tag": ..., ...}}     or why it has none

Commands run concurrently and begin in order of arrival. The end of stdin ends the process.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TextIO

LINE_MAX_BYTES = 64 * 1024 * 1024

Command = Callable[..., Awaitable[Any]]
"""Takes its arguments by name."""


async def serve(commands: Mapping[str, Command]) -> None:
    """Run every command that arrives on stdin, until it ends."""
    answers = _take_stdout()
    running = set()
    async for line in await _stdin():
        task = asyncio.create_task(_answer(commands, json.loads(line), answers))
        running.add(task)
        task.add_done_callback(running.discard)
    for task in running:
        task.cancel()


async def _answer(commands: Mapping[str, Command], request: dict[str, Any], out: TextIO) -> None:
    command_id = request.pop("id")
    command = commands[request.pop("op")]
    try:
        answer = {"ok": await command(**request)}
    except Exception as error:
        answer = {"error": {"_tag": type(error).__name__, "message": str(error)}}
    out.write(json.dumps({"id": command_id, **answer}) + "\n")
    out.flush()


def _take_stdout() -> TextIO:
    # stdout holds answers only: whatever the packages print goes to stderr
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LINE_MAX_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader
