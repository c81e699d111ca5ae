"""``wss`` and ``https``: the server has to prove who it is, whoever asks."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from livesync.client import AsyncClient
from tests.certificates import NAME, serving, write_certificate
from tests.clients import until
from tests.processes import LOOPBACK
from tests.site_process import SiteProcess

SCHEMES = pytest.mark.parametrize("scheme", ["wss", "https"])


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "certificate.pem")


@pytest.fixture
async def port(site: SiteProcess, certificate: Path) -> AsyncIterator[int]:
    """Of a proxy that ends TLS in front of the site."""
    forward = partial(_forward, site.port)
    server = await asyncio.start_server(forward, LOOPBACK, 0, ssl=serving(certificate))
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _forward(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    from_site, to_site = await asyncio.open_connection(LOOPBACK, port)
    back = asyncio.create_task(_pump(from_site, writer))
    await _pump(reader, to_site)
    await back


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@SCHEMES
async def test_a_server_with_a_certificate_that_is_trusted_is_used(
    scheme: str, port: int, certificate: Path, store_id: str
) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    url = f"{scheme}://{NAME}:{port}"
    async with AsyncClient(store_id, url, ssl_context=trusting) as client:
        await client.push([("v1.NoteAdded", {"id": "1"})])

        assert [event.name for event in await client.pull()] == ["v1.NoteAdded"]


@SCHEMES
@pytest.mark.parametrize(
    ("host", "is_trusted", "reason"),
    [
        (NAME, False, "self-signed certificate"),
        (LOOPBACK, True, "IP address mismatch"),
    ],
)
async def test_any_other_server_is_not_talked_to(
    scheme: str,
    port: int,
    certificate: Path,
    store_id: str,
    host: str,
    is_trusted: bool,
    reason: str,
    site: SiteProcess,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = ssl.create_default_context(cafile=certificate) if is_trusted else None
    url = f"{scheme}://{host}:{port}"
    async with AsyncClient(store_id, url, ssl_context=context, timeout_s=None) as client:
        pushing = asyncio.ensure_future(client.push([("v1.NoteAdded", {"id": "1"})]))
        await until(lambda: pushing.done() or "trying again" in caplog.text)

        assert reason in caplog.text
        assert not pushing.done()
        pushing.cancel()
    async with AsyncClient(store_id, site.ws_url) as client:
        assert await client.pull() == []
