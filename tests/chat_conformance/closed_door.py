"""A port behind which there is no server, until the door to one is opened."""

import asyncio
from contextlib import suppress

from tests.processes import LOOPBACK, ReservedPort


class ClosedDoor:
    """Connections to ``port`` are refused; once it is open they are forwarded."""

    def __init__(self) -> None:
        self._port = ReservedPort()
        self._server: asyncio.Server | None = None
        self._target = 0

    @property
    def port(self) -> int:
        return self._port.number

    async def open(self, target: int) -> None:
        """Let connections through to port ``target``."""
        self._target = target
        self._server = await asyncio.start_server(self._forward, LOOPBACK, self.port)

    def close(self) -> None:
        """Take no more connections, and give the port back."""
        if self._server is not None:
            self._server.close()
        self._port.release()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(LOOPBACK, self._target)
        await asyncio.gather(_pump(reader, target_writer), _pump(target_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
