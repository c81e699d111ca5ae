"""What every client owes its user: over each transport, in both faces."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from msgspec import Raw

from livesync.client import (
    BackendIdMismatchError,
    ClosedError,
    Cursor,
    Draft,
    InvalidBatchError,
    ServerAheadError,
)
from tests.clients import DEADLINE_S
from tests.integration.livesync.client.conftest import MakeClient

MANY = 250


def notes(*texts: str) -> list[Draft]:
    return [Draft("noted", {"text": text}) for text in texts]


def texts(events: Any) -> list[str]:
    return [event.parsed_args["text"] for event in events]


async def take(events: Any, count: int) -> list[Any]:
    """The next so many of a live pull, which is closed then."""
    found: list[Any] = []
    async with asyncio.timeout(DEADLINE_S), aclosing(events):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_what_is_pushed_is_pulled_in_its_order(make_client: MakeClient) -> None:
    one, other = await make_client(client_id="one"), await make_client()

    cursor = await one.push(notes("a", "b"))
    await one.push(notes("c"))
    pulled = await other.pull()

    assert texts(pulled) == ["a", "b", "c"]
    assert [(event.parent_seq_num, event.seq_num) for event in pulled] == [(0, 1), (1, 2), (2, 3)]
    assert {event.client_id for event in pulled} == {"one"}
    assert pulled[1].cursor == cursor == Cursor(await other.backend_id(), 2)
    assert all(event.created_at for event in pulled)


async def test_an_empty_store_gives_no_events_but_a_page(make_client: MakeClient) -> None:
    client = await make_client()

    (page,) = [page async for page in client.pull_pages()]

    assert (page.events, page.remaining) == ([], 0)
    assert page.cursor == Cursor(await client.backend_id(), 0)
    assert await client.pull() == []


async def test_a_pull_goes_on_behind_a_cursor_or_a_number(make_client: MakeClient) -> None:
    client = await make_client()
    await client.push(notes("a", "b", "c"))
    cursor = Cursor(await client.backend_id(), 1)

    assert texts(await client.pull(cursor)) == ["b", "c"]
    assert texts(await client.pull(2)) == ["c"]
    assert await client.pull(3) == []


async def test_args_are_kept_to_the_letter(make_client: MakeClient) -> None:
    client = await make_client()
    text = '{"b": 1.0,\n "a": [1e2, "\\ud83d", "\\u0000", "Grüße 👋🏽"]}'

    await client.push([Draft("x", Raw(text.encode())), Draft("x", None), ("x",), ("x", "\ud83d")])
    pulled = await client.pull()

    assert [event.args for event in pulled] == [text, "null", None, '"\\ud83d"']
    assert pulled[0].parsed_args == {"b": 1.0, "a": [100.0, "\ud83d", "\0", "Grüße 👋🏽"]}
    assert pulled[1].parsed_args is None


async def test_many_events_go_in_several_batches_and_pages(make_client: MakeClient) -> None:
    client = await make_client()
    names = [f"event-{number}" for number in range(MANY)]

    cursor = await client.push([(name,) for name in names])
    pages = [page async for page in client.pull_pages()]

    assert cursor.seq_num == MANY
    assert [event.name for page in pages for event in page.events] == names
    assert [page.remaining for page in pages] == [150, 50, 0]


async def test_large_events_are_parted_by_their_bytes(make_client: MakeClient) -> None:
    client = await make_client()
    large = "x" * 400_000

    await client.push([("large", large)] * 3)

    assert [len(event.parsed_args) for event in await client.pull()] == [400_000] * 3


async def test_an_event_that_no_push_can_hold_is_refused_before_any_is_stored(
    make_client: MakeClient,
) -> None:
    client = await make_client()

    for drafts in (
        [("small",), ("large", "x" * 900_000)],
        [("small",), ("x" * 2_000,)],
        [("small",), ("nul\0",)],
    ):
        with pytest.raises(InvalidBatchError):
            await client.push(drafts)

    assert await client.pull() == []


async def test_a_live_pull_brings_what_is_stored_and_what_comes(make_client: MakeClient) -> None:
    client, writer = await make_client(), await make_client()
    await writer.push(notes("a", "b"))
    live = client.live()
    begun = [await anext(live), await anext(live)]

    await writer.push(notes("c"))
    await writer.push(notes("d", "e"))

    assert texts(begun + await take(live, 3)) == ["a", "b", "c", "d", "e"]


async def test_a_live_pull_goes_on_behind_a_cursor(make_client: MakeClient) -> None:
    client = await make_client()
    cursor = await client.push(notes("a", "b"))
    await client.push(notes("c"))

    assert texts(await take(client.live(cursor), 1)) == ["c"]
    assert texts(await take(client.live(1), 2)) == ["b", "c"]


async def test_pushes_of_one_client_are_stored_in_the_order_of_the_calls(
    make_client: MakeClient,
) -> None:
    client = await make_client()
    pushes = [asyncio.ensure_future(client.push(notes(str(number)))) for number in range(20)]

    cursors = await asyncio.gather(*pushes)
    pulled = await client.pull()

    by_number = {cursor.seq_num: str(index) for index, cursor in enumerate(cursors)}
    assert [by_number[event.seq_num] for event in pulled] == texts(pulled)


async def test_without_a_place_clients_append_whatever_others_do(make_client: MakeClient) -> None:
    clients = [await make_client() for _ in range(4)]

    async def push(client: Any, name: str) -> None:
        for number in range(5):
            await client.push(notes(f"{name}{number}"))

    await asyncio.gather(
        *(push(client, name) for client, name in zip(clients, "abcd", strict=True))
    )

    found = texts(await clients[0].pull())
    assert sorted(found) == sorted(f"{name}{number}" for name in "abcd" for number in range(5))
    for name in "abcd":
        assert [text for text in found if text[0] == name] == [f"{name}{n}" for n in range(5)]


async def test_a_push_behind_a_place_is_told_that_the_store_has_gone_on(
    make_client: MakeClient,
) -> None:
    client, other = await make_client(), await make_client()
    cursor = await client.push(notes("a"))
    await other.push(notes("b"))

    with pytest.raises(ServerAheadError) as refused:
        await client.push(notes("c"), after=cursor)

    assert (refused.value.expected, refused.value.provided) == (2, 1)
    assert texts(await client.pull()) == ["a", "b"]


async def test_drafts_are_rebased_on_what_came_between(make_client: MakeClient) -> None:
    client, other = await make_client(), await make_client()
    cursor = await client.push(notes("a"))
    await other.push(notes("b", "c"))
    asked: list[Any] = []

    def rebase(drafts: Any, newer: Any) -> Any:
        asked.append((list(drafts), texts(newer)))
        return [*drafts, Draft("noted", {"text": "rebased"})]

    end = await client.push(notes("d"), after=cursor, rebase=rebase)

    assert asked == [(notes("d"), ["b", "c"])]
    assert texts(await other.pull()) == ["a", "b", "c", "d", "rebased"]
    assert end.seq_num == 5


async def test_a_rebase_may_give_up_everything_or_fail(make_client: MakeClient) -> None:
    client = await make_client()
    await client.push(notes("a"))

    def fail(drafts: Any, newer: Any) -> Any:
        raise ZeroDivisionError

    end = await client.push(notes("b"), after=0, rebase=lambda drafts, newer: [])
    with pytest.raises(ZeroDivisionError):
        await client.push(notes("b"), after=0, rebase=fail)

    assert end.seq_num == 1
    assert texts(await client.pull()) == ["a"]


async def test_a_cursor_of_another_history_is_an_error(make_client: MakeClient) -> None:
    client = await make_client()
    foreign = Cursor("another-history", 1)
    here = await client.backend_id()

    for call in (
        client.pull(foreign),
        client.push(notes("a"), after=foreign),
        anext(client.live(foreign)),
    ):
        with pytest.raises(BackendIdMismatchError) as refused:
            await call
        assert (refused.value.expected, refused.value.received) == (here, "another-history")


async def test_a_live_pull_may_go_on_in_the_new_history(make_client: MakeClient) -> None:
    client = await make_client()
    await client.push(notes("a"))
    told: list[str] = []

    events = client.live(Cursor("another-history", 1), on_reset=told.append)

    assert texts(await take(events, 1)) == ["a"]
    assert told == [await client.backend_id()]


async def test_a_closed_client_ends_its_live_pulls_and_takes_no_more_calls(
    make_client: MakeClient,
) -> None:
    client = await make_client()
    await client.push(notes("a"))
    live = client.live()
    await anext(live)
    waiting = asyncio.ensure_future(anext(live))

    await client.close()

    with pytest.raises(ClosedError):
        await waiting
    with pytest.raises(ClosedError):
        await client.push(notes("b"))
    with pytest.raises(ClosedError):
        await client.pull()
