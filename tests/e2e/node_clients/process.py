"""A process that answers commands, one JSON object a line; the other side is ``lines.mjs``."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.e2e.node_clients.install import script

DEADLINE_S = 120.0
"""How long any one answer may take. Generous: only a client that hangs uses it up."""

LINE_MAX_BYTES = 64 * 1024 * 1024
"""Longest answer line. A page has about 1 MB; the rows of a query can have more."""

LOG_MAX_LINES = 200
"""How much of what a process logged is shown with a failure."""

END: Final = object()
"""Stands behind a command's last item."""


class NodeClientError(Exception):
    """A command failed inside the client.

    Attributes:
        tag: the ``_tag`` of the client's own error, such as ``ServerAheadError``; ``Interrupted``
            for a command that was stopped, ``Defect`` for an error that has no type, ``Ended``
            where an item was asked for and there are no more.
        fields: the error's other fields, as JSON.
    """

    def __init__(self, *, tag: str, fields: Mapping[str, Any]) -> None:
        self.tag = tag
        self.fields = fields
        super().__init__(f"{tag}: {json.dumps(fields)}")


class NodeProcessError(RuntimeError):
    """A process ended, or did not answer in time; the message holds the end of its log."""


class Command:
    """A command under way: its items as they come, then its value."""

    def __init__(self, process: "LinesProcess", command_id: int, op: str) -> None:
        self.op = op
        self.command_id = command_id
        self._process = process
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self._value: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # looked at here, so that asyncio does not complain of a failure that no test waits for
        self._value.add_done_callback(lambda value: value.exception())

    def receive(self, line: Mapping[str, Any]) -> None:
        """Take one answer line."""
        if "item" in line:
            self._items.put_nowait(line["item"])
        elif "error" in line:
            fields = dict(line["error"])
            self.fail(NodeClientError(tag=fields.pop("_tag"), fields=fields))
        else:
            self._value.set_result(line["ok"])
            self._items.put_nowait(END)

    def fail(self, error: Exception) -> None:
        """End the command with an error."""
        self._value.set_exception(error)
        self._items.put_nowait(END)

    @property
    def done(self) -> bool:
        """Whether the command has its value or its error."""
        return self._value.done()

    async def value(self) -> Any:
        """What the command came to, once it ended.

        Raises:
            NodeClientError: it failed, or was stopped.
            NodeProcessError: its process ended, or the deadline passed.
        """
        async with self._process.deadline(self.op):
            return await asyncio.shield(self._value)

    async def next(self) -> Any:
        """The next item.

        Raises:
            NodeClientError: it has no more and failed, or was stopped, or came to its value.
            NodeProcessError: its process ended, or the deadline passed.
        """
        async with self._process.deadline(self.op):
            item = await self._items.get()
            if item is END:
                self._items.put_nowait(END)
                await self._value
                raise NodeClientError(tag="Ended", fields={})
            return item

    def drain(self) -> list[Any]:
        """Every item that came and was not yet taken."""
        items = [self._items.get_nowait() for _ in range(self._items.qsize())]
        if self.done:
            self._items.put_nowait(END)
        return [item for item in items if item is not END]

    async def stop(self) -> None:
        """Interrupt the command; returns when it has ended."""
        await self._process.call("stop", target=self.command_id)


class LinesProcess(ABC):
    """A program that speaks JSON lines, in a process of its own. A context manager.

    Args:
        name: how messages call it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._ids = itertools.count(1)
        self._commands: dict[int, Command] = {}
        self._log: deque[str] = deque(maxlen=LOG_MAX_LINES)

    @abstractmethod
    def command_line(self) -> Sequence[str]:
        """The program and its arguments."""

    def environment(self) -> Mapping[str, str] | None:
        """Its environment variables; None for the tests' own."""
        return None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self.command_line(),
            env=self.environment(),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_MAX_BYTES,
        )
        self._log_reader = asyncio.create_task(self._read_log(self._process))
        self._answer_reader = asyncio.create_task(self._read_answers(self._process))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.kill()

    async def kill(self) -> None:
        """End the process at once (SIGKILL); may be called twice."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.gather(self._process.wait(), self._log_reader, self._answer_reader)

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """Let the process stand still (SIGSTOP); what it is told meanwhile it reads afterwards."""
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def begin(self, op: str, **args: Any) -> Command:
        """Send a command; arguments that are ``None`` are left out."""
        command = Command(self, next(self._ids), op)
        if self._answer_reader.done():
            command.fail(self._error(f"has ended, so it cannot answer {op}"))
            return command
        self._commands[command.command_id] = command
        self._send(id=command.command_id, op=op, **args)
        return command

    async def call(self, op: str, **args: Any) -> Any:
        """Send a command and return its value; raises as ``Command.value`` does."""
        return await self.begin(op, **args).value()

    @contextlib.asynccontextmanager
    async def deadline(self, op: str) -> AsyncIterator[None]:
        """Let what runs inside last ``DEADLINE_S`` at most; its failure shows the log."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield
        except TimeoutError as error:
            raise self._error(f"no answer to {op} within {DEADLINE_S:g} s") from error

    def _send(self, **line: Any) -> None:
        given = {key: value for key, value in line.items() if value is not None}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(given).encode() + b"\n")

    async def _read_answers(self, process: Process) -> None:
        assert process.stdout is not None
        async for text in process.stdout:
            line = json.loads(text)
            command = self._commands[line["id"]]
            command.receive(line)
            if command.done:
                del self._commands[line["id"]]
        await self._log_reader  # so that the error shows the last words
        for command in self._commands.values():
            command.fail(self._error(f"ended before it answered {command.op}"))

    async def _read_log(self, process: Process) -> None:
        assert process.stderr is not None
        async for text in process.stderr:
            self._log.append(text.decode(errors="replace").rstrip())

    def _error(self, what: str) -> NodeProcessError:
        return NodeProcessError("\n".join([f"{self._name}: {what}", *self._log]))


class NodeProcess(LinesProcess):
    """A script in a Node process of its own. A context manager.

    Args:
        name: the script's name in ``js/``, or its whole path.
    """

    def __init__(self, name: str | Path) -> None:
        super().__init__(str(name))
        self._path = script(name)

    def command_line(self) -> Sequence[str]:
        # Node 20 has WebSocket behind this flag; the warning about it would only fill the log
        return ["node", "--experimental-websocket", "--no-warnings", str(self._path)]
