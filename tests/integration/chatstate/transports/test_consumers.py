"""What a bot meets on its socket."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from chatstate.services.threads import get_readers
from chatstate.services.tokens import create_token, revoke, tokens
from chatstate.storage.database import ShardDatabase
from chatstate.transports.consumers import StateConsumer
from chatstate.transports.routing import websocket_application
from groundwork.frames import POLICY, RESTART, get_registry
from tests.clients import ClosedError, Socket, until

only_sqlite = pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)


@pytest.fixture
async def services(chat_database: ShardDatabase) -> AsyncIterator[None]:
    yield
    await get_registry().stop()


async def make_token(namespace: str = "bot", **options: Any) -> str:
    token: str = await get_readers().run(lambda: create_token(namespace, **options))
    return token


class Bot:
    """A bot's side of a socket."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    async def say(self, text: str) -> Any:
        self.socket.send_text(text)
        return await self.hear()

    async def hear(self) -> Any:
        message = await self.socket.receive_message()
        if message["type"] == "websocket.close":
            raise ClosedError(message["code"])
        return json.loads(message["text"])

    async def do(self, *operations: dict[str, Any]) -> list[Any]:
        """Send one frame; the answers in the order of the operations."""
        numbered = [{"id": number, **each} for number, each in enumerate(operations)]
        self.socket.send_text(json.dumps(numbered))
        answers: dict[int, Any] = {}
        while len(answers) < len(numbered):
            answers |= {answer["id"]: answer for answer in await self.hear()}
        return [answers[number] for number in range(len(numbered))]


@asynccontextmanager
async def bot(token: str) -> AsyncIterator[Bot]:
    async with Socket(websocket_application) as socket:
        connected = Bot(socket)
        greeting = await connected.say(json.dumps({"token": token}))
        assert "namespace" in greeting
        yield connected


def op(name: str, **members: Any) -> dict[str, Any]:
    return {"op": name, **members}


def code(answer: Any) -> str:
    found: str = answer["error"]["code"]
    return found


async def test_operations_of_a_frame_take_effect_in_their_order(services: None) -> None:
    async with bot(await make_token()) as connected:
        answers = await connected.do(
            op("set", key="k", value={"b": 1, "a": [None]}),
            op("get", key="k"),
            op("delete", key="k"),
            op("get", key="k"),
            op("appendToList", key="l", value=1, requestId="r1"),
            op("getList", key="l"),
        )

    assert [answer.get("value") for answer in answers[:4]] == [
        None,
        {"b": 1, "a": [None]},
        None,
        None,
    ]
    assert answers[5] == {"id": 5, "items": [1], "more": False}


async def test_a_read_sees_what_its_client_has_sent_before(services: None) -> None:
    async with bot(await make_token()) as connected:
        for value in range(20):
            connected.socket.send_text(f'[{{"id":1,"op":"set","key":"k","value":{value}}}]')
            connected.socket.send_text('[{"id":2,"op":"get","key":"k"}]')
            await connected.hear()

            assert await connected.hear() == [{"id": 2, "value": value}]
            assert await connected.do(op("get", key="k")) == [{"id": 0, "value": value}]


async def test_what_is_sent_behind_the_token_is_answered_behind_the_greeting(
    services: None,
) -> None:
    token = await make_token()
    async with Socket(websocket_application) as socket:
        early = Bot(socket)
        socket.send_text(json.dumps({"token": token}))
        socket.send_text('[{"id":1,"op":"queueDepth","threadId":"t"}]')

        assert (await early.hear())["namespace"] == "bot"
        assert await early.hear() == [{"id": 1, "value": 0}]


@only_sqlite
@pytest.mark.parametrize("first", ['{"token":"chat_unknown"}', "{}", "[]", '{"token":"\\ud83d"}'])
async def test_without_a_good_token_the_socket_is_closed(services: None, first: str) -> None:
    async with Socket(websocket_application) as socket:
        stranger = Bot(socket)

        assert code(await stranger.say(first)) == "unauthorized"
        with pytest.raises(ClosedError) as closed:
            await stranger.hear()

    assert closed.value.code == POLICY


@only_sqlite
async def test_an_expired_token_is_like_an_unknown_one(services: None) -> None:
    token = await make_token(expires_at=timezone.now() - timedelta(seconds=1))
    async with Socket(websocket_application) as socket:
        late, unknown = Bot(socket), '{"token":"chat_unknown"}'
        told = await late.say(json.dumps({"token": token}))

    async with Socket(websocket_application) as socket:
        assert await Bot(socket).say(unknown) == told


@only_sqlite
async def test_a_revoked_token_ends_its_open_sockets(services: None, settings: Settings) -> None:
    settings.CHATSTATE = {"token_recheck_s": 0.0}
    async with bot(await make_token()) as connected:
        (found,) = await get_readers().run(lambda: list(tokens()))
        assert await get_readers().run(revoke, found.pk)

        for consumer in consumers():
            consumer.sweep(consumer.last_frame_at + 1)

        assert code(await connected.hear()) == "unauthorized"
        with pytest.raises(ClosedError):
            await connected.hear()


@only_sqlite
async def test_who_says_nothing_is_sent_away(services: None) -> None:
    async with Socket(websocket_application) as socket:
        (consumer,) = consumers()
        consumer.sweep(consumer.last_frame_at + 11)

        with pytest.raises(ClosedError) as closed:
            await Bot(socket).hear()

    assert closed.value.code == POLICY


@only_sqlite
async def test_who_sends_too_much_before_the_greeting_is_sent_away(
    services: None, settings: Settings
) -> None:
    settings.CHATSTATE = {"frame_max_bytes": 1_000}
    async with Socket(websocket_application) as socket:
        for text in ('{"token":"chat_unknown"}', *[""] * 11):
            socket.send_text(text)

        with pytest.raises(ClosedError) as closed:  # and is told nothing of the token
            await Bot(socket).hear()

    assert closed.value.code == POLICY


@only_sqlite
async def test_a_token_lets_in_for_its_rights_and_its_namespace_only(services: None) -> None:
    async with bot(await make_token("one")) as one, bot(await make_token("two")) as two:
        await one.do(op("set", key="k", value="secret"), op("subscribe", threadId="t"))

        theirs = await two.do(op("get", key="k"), op("isSubscribed", threadId="t"))

    async with bot(await make_token("one", rights=("read",))) as reader:
        read, write = await reader.do(op("get", key="k"), op("set", key="k", value=1))

    assert [answer["value"] for answer in theirs] == [None, False]
    assert read["value"] == "secret"
    assert code(write) == "forbidden"


@only_sqlite
@pytest.mark.parametrize("frame", ["", "{", "1", "{}", '[{"op":"get","key":"k"}]', "[NaN]"])
async def test_a_frame_that_cannot_be_read_harms_nothing(services: None, frame: str) -> None:
    async with bot(await make_token()) as connected:
        assert code(await connected.say(frame)) == "malformed"
        assert await connected.do(op("get", key="k")) == [{"id": 0, "value": None}]


@only_sqlite
async def test_bytes_that_are_no_text_are_malformed(services: None) -> None:
    async with bot(await make_token()) as connected:
        connected.socket.send_bytes(b"\xff")

        assert code(await connected.hear()) == "malformed"


@only_sqlite
async def test_an_empty_frame_is_answered_by_one(services: None) -> None:
    async with bot(await make_token()) as connected:
        assert await connected.say("[]") == []


@only_sqlite
async def test_too_many_operations_are_refused_whole(services: None, settings: Settings) -> None:
    settings.CHATSTATE = {"operations_per_frame": 2}
    async with bot(await make_token()) as connected:
        items = [{"id": number, "op": "get", "key": "k"} for number in range(3)]

        assert code(await connected.say(json.dumps(items))) == "too_large"


async def test_an_unknown_shard_is_refused_by_name(services: None) -> None:
    async with bot(await make_token()) as connected:
        refused, fine = await connected.do(
            op("get", key="k", shard="mars"), op("get", key="k", shard="default")
        )

    assert code(refused) == "unknown_shard"
    assert fine["value"] is None


async def test_a_list_longer_than_a_frame_comes_in_pieces(services: None) -> None:
    value = "x" * 400_000
    async with bot(await make_token()) as connected:
        for number in range(12):
            await connected.do(
                op("appendToList", key="l", value=f"{number}{value}", requestId=f"r{number}")
            )
        connected.socket.send_text('[{"id":9,"op":"getList","key":"l"}]')
        pieces = [(await connected.hear())[0]]
        while pieces[-1]["more"]:
            pieces.append((await connected.hear())[0])

    items = [item for piece in pieces for item in piece["items"]]
    assert [item.removesuffix(value) for item in items] == [str(number) for number in range(12)]
    assert max(len(piece["items"]) for piece in pieces) <= 2


@only_sqlite
async def test_answers_go_out_in_frames_of_bounded_size(services: None) -> None:
    value = "x" * 400_000
    async with bot(await make_token()) as connected:
        await connected.do(op("set", key="k", value=value))
        connected.socket.send_text(
            json.dumps([{"id": number, "op": "get", "key": "k"} for number in range(5)])
        )
        frames = [await connected.hear() for _ in range(3)]

    assert [len(frame) for frame in frames] == [2, 2, 1]


@only_sqlite
async def test_frames_that_wait_take_a_bounded_amount_of_memory(
    services: None, chat_database: ShardDatabase
) -> None:
    padding = "x" * 1_000_000
    file = connections[chat_database.alias].settings_dict["NAME"]
    async with bot(await make_token()) as connected:
        with closing(sqlite3.connect(file, uri=True, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(20):
                operation = op("set", id=number, key="k", value=1, padding=padding)
                connected.socket.send_text(json.dumps([operation]))
            refused = [(await connected.hear())[0] for _ in range(4)]
            other.execute("ROLLBACK")
        done = [(await connected.hear())[0] for _ in range(16)]
        (afterwards,) = await connected.do(op("get", key="k"))

    assert [(each["id"], code(each)) for each in refused] == [(n, "busy") for n in range(16, 20)]
    assert sorted(each["id"] for each in done) == list(range(16))
    assert afterwards["value"] == 1


@only_sqlite
async def test_who_reads_no_lists_is_not_given_ever_more_of_them(services: None) -> None:
    value = "x" * 800_000
    async with bot(await make_token()) as connected:
        for number in range(4):
            await connected.do(op("appendToList", key="l", value=value, requestId=f"r{number}"))
        (consumer,) = consumers()
        connected.socket.takes_frames.clear()
        for number in range(10):
            connected.socket.send_text(f'[{{"id":{number},"op":"getList","key":"l"}}]')
            # each becomes a task that waits to send it, or a refusal that waits
            await until(
                lambda number=number: len(consumer._tasks) + len(consumer._waiting or ()) > number
            )
        connected.socket.takes_frames.set()
        heard: list[Any] = []
        while len([answer for answer in heard if not answer.get("more")]) < 10:
            heard += await connected.hear()
        (afterwards,) = await connected.do(op("isSubscribed", threadId="t"))

    refused = [answer for answer in heard if "error" in answer]
    assert {code(answer) for answer in refused} == {"busy"}
    assert len(refused) == 5
    assert afterwards["value"] is False


@only_sqlite
async def test_a_server_that_stops_answers_first(services: None) -> None:
    async with bot(await make_token()) as connected:
        connected.socket.send_text('[{"id":1,"op":"set","key":"k","value":1}]')
        await until(lambda: any(each._open_operations for each in consumers()))
        await get_registry().drain(20)

        assert await connected.hear() == [{"id": 1, "value": None}]
        with pytest.raises(ClosedError) as closed:
            await connected.hear()

    assert closed.value.code == RESTART


def consumers() -> Iterator[StateConsumer]:
    """The open sockets of this loop."""
    return (each for each in tuple(get_registry()._consumers) if isinstance(each, StateConsumer))
