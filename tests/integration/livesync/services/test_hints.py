"""Hints between processes: over the layer in memory, over Valkey, and over layers that fail."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from pytest_django import Settings

from livesync.services import hints
from livesync.services.hints import Hint, HintBus, group_name, make_bus, send_hint
from tests.clients import DEADLINE_S, until
from tests.servers import ValkeyServer


class Ear:
    """A bus, and what it has heard."""

    def __init__(self, layer: Any) -> None:
        self.heard: list[Hint] = []
        self.bus = HintBus(layer, self.heard.append)

    async def until_heard(self, hint: Hint) -> None:
        await until(lambda: hint in self.heard)

    async def until_joined(self, store_id: str) -> None:
        """Wait until hints of the store reach this bus."""
        self.bus.join(store_id)
        await until(lambda: self.bus._channel is not None and not self.bus._changed)


@pytest.fixture
async def make_ear() -> AsyncIterator[Callable[[Any], Ear]]:
    ears: list[Ear] = []

    def make_ear(layer: Any) -> Ear:
        ears.append(Ear(layer))
        return ears[-1]

    yield make_ear
    for ear in ears:
        await ear.bus.stop()


MakeEar = Callable[[Any], Ear]


async def test_a_hint_reaches_every_process_on_the_store_and_no_other(make_ear: MakeEar) -> None:
    layer = InMemoryChannelLayer()
    speaker, one, two, other = (make_ear(layer) for _ in range(4))
    await one.until_joined("a")
    await two.until_joined("a")
    await other.until_joined("b")

    speaker.bus.publish(Hint("a", "id", 1))
    speaker.bus.publish(Hint("b", "id", 2))

    await one.until_heard(Hint("a", "id", 1))
    await two.until_heard(Hint("a", "id", 1))
    await other.until_heard(Hint("b", "id", 2))
    assert (one.heard, speaker.heard) == ([Hint("a", "id", 1)], [])


async def test_who_has_left_hears_no_more(make_ear: MakeEar) -> None:
    layer = InMemoryChannelLayer()
    speaker, ear = make_ear(layer), make_ear(layer)
    await ear.until_joined("a")
    await ear.until_joined("b")

    ear.bus.leave("a")
    await until(lambda: group_name("a") not in layer.groups)
    speaker.bus.publish(Hint("a", "id", 1))
    speaker.bus.publish(Hint("b", "id", 2))

    await ear.until_heard(Hint("b", "id", 2))
    assert ear.heard == [Hint("b", "id", 2)]


class SlowLayer(InMemoryChannelLayer):  # type: ignore[misc] # channels publishes no types
    """A layer whose sends wait for the test, fail, or never end."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.sent: list[Any] = []
        self.faults: list[Exception] = []

    async def group_send(self, group: str, message: Any) -> None:
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message["head"])
        await super().group_send(group, message)


async def test_while_the_layer_is_slow_the_newest_hint_of_a_store_takes_the_place_of_older_ones(
    make_ear: MakeEar,
) -> None:
    layer = SlowLayer()
    ear = make_ear(layer)
    await ear.until_joined("a")

    for head in range(1, 1_001):
        ear.bus.publish(Hint("a", "id", head))
        if head == 1:
            await asyncio.sleep(0.01)  # so that it is on its way
    layer.open.set()

    await ear.until_heard(Hint("a", "id", 1_000))
    assert layer.sent == [1, 1_000]


async def test_who_is_about_to_end_waits_until_its_hints_are_out(make_ear: MakeEar) -> None:
    layer = SlowLayer()
    ear = make_ear(layer)
    await ear.bus.flush()  # nothing to wait for
    ear.bus.publish(Hint("a", "id", 1))
    ear.bus.publish(Hint("b", "id", 2))

    flushing = asyncio.ensure_future(ear.bus.flush())
    await asyncio.sleep(0)
    assert not flushing.done()
    layer.open.set()
    await flushing

    assert layer.sent == [1, 2]


async def test_a_layer_that_is_away_is_not_waited_for_long(
    make_ear: MakeEar, impatient: None
) -> None:
    ear = make_ear(SlowLayer())
    ear.bus.publish(Hint("a", "id", 1))

    async with asyncio.timeout(DEADLINE_S):
        await ear.bus.flush()


async def test_a_bus_with_nothing_to_tell_knows_whether_it_could(
    make_ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.001)
    monkeypatch.setattr(hints, "_PROBE_AFTER_S", 0.001)
    layer = SlowLayer()
    layer.open.set()
    layer.faults = [ConnectionError("refused")]
    ear, other = make_ear(layer), make_ear(layer)
    await other.until_joined("a")

    ear.bus.watch()
    await until(lambda: not layer.faults)
    await until(lambda: not (ear.bus.is_degraded or other.bus.is_degraded))

    assert (ear.heard, other.heard) == ([], [])


async def test_a_fault_is_not_over_before_something_has_gone_well(
    make_ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.0)
    layer = SlowLayer()
    layer.open.set()
    layer.faults = [ConnectionError("refused")]
    ear = make_ear(layer)

    ear.bus.publish(Hint("a", "id", 1))
    await until(lambda: ear.bus.is_degraded)
    for _ in range(100):  # nothing waits any more, so it has nothing to try
        await asyncio.sleep(0)
    assert ear.bus.is_degraded

    ear.bus.publish(Hint("a", "id", 2))
    await until(lambda: not ear.bus.is_degraded)


async def test_a_layer_that_fails_is_reported_once_and_tried_again(
    make_ear: MakeEar, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.001)
    layer = SlowLayer()
    layer.open.set()
    layer.faults = [ConnectionError("refused")] * 3
    ear = make_ear(layer)
    await ear.until_joined("a")

    for head in (1, 2, 3, 4):
        ear.bus.publish(Hint("a", "id", head))
        await until(lambda: not ear.bus._pending)
        await until(lambda head=head: len(layer.faults) == max(0, 3 - head))  # type: ignore[misc]

    await ear.until_heard(Hint("a", "id", 4))
    assert not ear.bus.is_degraded
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    assert "out of reach (ConnectionError: refused)" in caplog.text


async def test_a_layer_that_never_answers_is_given_up_after_a_moment(
    make_ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_TIMEOUT_S", 0.01)
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.01)
    layer = SlowLayer()
    ear = make_ear(layer)
    await ear.until_joined("a")

    ear.bus.publish(Hint("a", "id", 1))
    await until(lambda: ear.bus.is_degraded)
    layer.open.set()
    ear.bus.publish(Hint("a", "id", 2))

    await ear.until_heard(Hint("a", "id", 2))
    assert not ear.bus.is_degraded


class ForgetfulLayer(InMemoryChannelLayer):  # type: ignore[misc] # channels publishes no types
    """A layer that fails while somebody listens, and has then forgotten who listens to what."""

    faults = 2

    async def receive(self, channel: str) -> Any:
        if self.faults:
            await until(lambda: bool(self.groups))
            self.faults -= 1
            self.groups.clear()
            raise ConnectionError("cut off")
        return await super().receive(channel)


async def test_a_bus_that_was_cut_off_joins_its_groups_again(
    make_ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_TIMEOUT_S", 0.05)
    layer = ForgetfulLayer()
    ear = make_ear(layer)
    ear.bus.join("a")
    ear.bus.join("b")
    await until(lambda: not layer.faults and len(layer.groups) == 2)

    ear.bus.publish(Hint("a", "id", 1))
    ear.bus.publish(Hint("b", "id", 2))

    await ear.until_heard(Hint("a", "id", 1))
    await ear.until_heard(Hint("b", "id", 2))


async def test_garbage_on_the_layer_is_passed_over(
    make_ear: MakeEar, caplog: pytest.LogCaptureFixture
) -> None:
    layer = InMemoryChannelLayer()
    ear = make_ear(layer)
    await ear.until_joined("a")

    await layer.group_send(group_name("a"), {"type": "garbage", "head": "many"})
    ear.bus.publish(Hint("a", "id", 1))

    await ear.until_heard(Hint("a", "id", 1))
    assert ear.heard == [Hint("a", "id", 1)]
    assert "no hint" in caplog.text


async def test_a_bus_that_is_stopped_stays_stopped(make_ear: MakeEar) -> None:
    ear = make_ear(InMemoryChannelLayer())
    await ear.until_joined("a")

    await ear.bus.stop()
    ear.bus.leave("a")
    ear.bus.publish(Hint("a", "id", 1))

    assert ear.bus._tasks == []


async def test_a_layer_in_memory_reaches_no_other_process(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    assert make_bus(print) is None
    settings.CHANNEL_LAYERS = {}
    assert make_bus(print) is None


# with a Valkey


@pytest.fixture
async def make_layer(
    valkey_server: ValkeyServer,
) -> AsyncIterator[Callable[..., RedisPubSubChannelLayer]]:
    """Layers as the site configures them, each as in a process of its own."""
    layers: list[RedisPubSubChannelLayer] = []

    def make_layer(*, socket_timeout: float = 1) -> RedisPubSubChannelLayer:
        host = {
            "address": valkey_server.url,
            "socket_connect_timeout": 1,
            "socket_timeout": socket_timeout,
        }
        layers.append(RedisPubSubChannelLayer(hosts=[host], prefix="syncsite"))
        return layers[-1]

    yield make_layer
    for layer in layers:
        await layer.flush()


MakeLayer = Callable[..., RedisPubSubChannelLayer]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses short enough for a test that has to wait for them."""
    monkeypatch.setattr(hints, "_PAUSE_AFTER_FAULT_S", 0.05)
    monkeypatch.setattr(hints, "_TIMEOUT_S", 0.5)


async def speak_until_heard(speaker: Ear, ear: Ear, store_id: str, first: int) -> None:
    """Send hints, each of which may get lost, until one arrives."""
    head = first
    async with asyncio.timeout(30):
        while not any(hint.head >= first for hint in ear.heard):
            speaker.bus.publish(Hint(store_id, "id", head))
            head += 1
            await asyncio.sleep(0.05)  # before the next one


async def test_hints_travel_over_valkey(make_ear: MakeEar, make_layer: MakeLayer) -> None:
    speaker, ear, other = (make_ear(make_layer()) for _ in range(3))
    await ear.until_joined("störe \u202e")
    await other.until_joined("other")

    speaker.bus.publish(Hint("störe \u202e", "id", 2**53 - 1))

    await ear.until_heard(Hint("störe \u202e", "id", 2**53 - 1))
    assert other.heard == []


async def test_an_idle_bus_outlives_the_timeout_of_its_sockets(
    make_ear: MakeEar, make_layer: MakeLayer, caplog: pytest.LogCaptureFixture
) -> None:
    # redis-py gives its sockets a timeout, after which a layer that blocks longer falls silent
    speaker, ear = (
        make_ear(make_layer(socket_timeout=0.1)),
        make_ear(make_layer(socket_timeout=0.1)),
    )
    await ear.until_joined("a")

    await asyncio.sleep(0.6)  # idle is nothing that could be awaited
    speaker.bus.publish(Hint("a", "id", 1))

    await ear.until_heard(Hint("a", "id", 1))
    assert not ear.bus.is_degraded
    assert caplog.records == []


async def test_hints_flow_again_after_valkey_was_killed_and_started(
    make_ear: MakeEar, make_layer: MakeLayer, valkey_server: ValkeyServer, impatient: None
) -> None:
    speaker, ear = make_ear(make_layer()), make_ear(make_layer())
    await ear.until_joined("a")
    speaker.bus.publish(Hint("a", "id", 1))
    await ear.until_heard(Hint("a", "id", 1))

    valkey_server.kill()
    speaker.bus.publish(Hint("a", "id", 2))
    await until(lambda: speaker.bus.is_degraded)
    await asyncio.to_thread(valkey_server.start)

    await speak_until_heard(speaker, ear, "a", 3)
    await until(lambda: not speaker.bus.is_degraded)


async def test_hints_flow_on_after_everything_was_flushed(
    make_ear: MakeEar, make_layer: MakeLayer, valkey_server: ValkeyServer, impatient: None
) -> None:
    speaker, ear = make_ear(make_layer()), make_ear(make_layer())
    await ear.until_joined("a")

    for head in range(1, 6):
        await asyncio.to_thread(command, valkey_server, "FLUSHALL")
        speaker.bus.publish(Hint("a", "id", head))
        await ear.until_heard(Hint("a", "id", head))


async def test_hints_flow_again_after_the_subscribers_were_cut_off(
    make_ear: MakeEar, make_layer: MakeLayer, valkey_server: ValkeyServer, impatient: None
) -> None:
    speaker, ear = make_ear(make_layer()), make_ear(make_layer())
    await ear.until_joined("a")

    await asyncio.to_thread(command, valkey_server, "CLIENT KILL TYPE pubsub")

    await speak_until_heard(speaker, ear, "a", 1)


async def test_a_bus_that_starts_without_valkey_joins_when_it_comes(
    make_ear: MakeEar, make_layer: MakeLayer, valkey_server: ValkeyServer, impatient: None
) -> None:
    valkey_server.kill()
    speaker, ear = make_ear(make_layer()), make_ear(make_layer())
    ear.bus.join("a")
    speaker.bus.publish(Hint("a", "id", 1))
    await until(lambda: ear.bus.is_degraded and speaker.bus.is_degraded)

    await asyncio.to_thread(valkey_server.start)

    await speak_until_heard(speaker, ear, "a", 2)


async def test_code_without_a_loop_can_send_a_hint(
    make_ear: MakeEar, make_layer: MakeLayer, valkey_server: ValkeyServer, settings: Settings
) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [valkey_server.url], "prefix": "syncsite"},
        }
    }
    ear = make_ear(make_layer())
    await ear.until_joined("a")

    await asyncio.to_thread(send_hint, Hint("a", "id", 1))

    await ear.until_heard(Hint("a", "id", 1))


async def test_code_without_a_loop_goes_on_without_a_valkey(
    valkey_server: ValkeyServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [valkey_server.url], "prefix": "syncsite"},
        }
    }
    valkey_server.kill()

    await asyncio.to_thread(send_hint, Hint("a", "id", 1))

    assert "a hint could not be sent" in caplog.text


def command(server: ValkeyServer, line: str) -> None:
    """Send one command as any client could."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{line}\r\n".encode())
        assert connection.recv(100)
