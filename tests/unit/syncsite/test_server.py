"""The drain: first what is under way is answered, then the server goes."""

import asyncio
import gc
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn import Config

from syncsite.listening import listen
from syncsite.server import DRAIN_S, DrainingServer, WorkerServer, server_config


@pytest.fixture(autouse=True)
def _own_garbage_collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as made:
        yield made


async def application(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def config() -> Config:
    return Config(application, lifespan="on", log_config=None)


async def serve(server: DrainingServer, listener: socket.socket) -> asyncio.Task[None]:
    # the server would take over pytest's own signal handlers
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0)
    return task


async def test_the_port_is_closed_while_the_server_drains(listener: socket.socket) -> None:
    address = listener.getsockname()
    seen: list[object] = []

    async def drain(timeout_s: float) -> None:
        seen.append(timeout_s)
        try:
            _, writer = await asyncio.open_connection(*address)
        except ConnectionRefusedError as error:
            seen.append(type(error))
        else:
            writer.close()

    server = DrainingServer(config(), drain)
    task = await serve(server, listener)
    server.handle_exit(signal.SIGTERM, None)
    await task

    assert seen == [DRAIN_S, ConnectionRefusedError]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_drain(listener: socket.socket, second: int) -> None:
    draining, cancelled = asyncio.Event(), asyncio.Event()

    async def drain(timeout_s: float) -> None:
        draining.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = DrainingServer(config(), drain)
    task = await serve(server, listener)
    server.handle_exit(signal.SIGTERM, None)
    await draining.wait()
    assert not server.force_exit
    server.handle_exit(second, None)
    await task

    assert cancelled.is_set()


async def test_a_drain_that_fails_does_not_keep_the_server(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def drain(timeout_s: float) -> None:
        raise ZeroDivisionError

    server = DrainingServer(config(), drain)
    task = await serve(server, listener)
    server.handle_exit(signal.SIGTERM, None)
    await task

    assert "the drain failed" in caplog.text


async def test_a_drain_that_never_ends_does_not_keep_the_server(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("syncsite.server.DRAIN_S", 0.0)
    monkeypatch.setattr("syncsite.server.DRAIN_MARGIN_S", 0.0)

    async def drain(timeout_s: float) -> None:
        await asyncio.Event().wait()

    server = DrainingServer(config(), drain)
    task = await serve(server, listener)
    server.handle_exit(signal.SIGTERM, None)
    await task

    assert "stopped before every push was answered" in caplog.text


async def test_the_garbage_collector_leaves_alone_what_start_up_made(
    listener: socket.socket,
) -> None:
    async def drain(timeout_s: float) -> None:
        pass

    server = DrainingServer(config(), drain)
    task = await serve(server, listener)
    frozen, thresholds = gc.get_freeze_count(), gc.get_threshold()
    server.handle_exit(signal.SIGTERM, None)
    await task

    assert frozen > 1_000
    assert thresholds == (20_000, 20, 50)


def test_ctrl_c_in_a_terminal_leaves_a_worker_to_its_supervisor() -> None:
    worker = WorkerServer(config())

    worker.handle_exit(signal.SIGINT, None)
    assert not worker.should_exit
    worker.handle_exit(signal.SIGTERM, None)
    assert worker.should_exit
    assert not worker.force_exit


def test_frames_are_bounded_and_not_compressed() -> None:
    made = server_config(workers=1, access_log=True, trust_proxy=False)

    assert made.ws_max_size == 1_048_576
    assert made.ws_per_message_deflate is False
    assert made.backlog == 2_048
