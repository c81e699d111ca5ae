"""The hooks that say who comes in, and to which store, the same over every transport."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from livesync.hooks import Context, OpenHooks
from livesync.protocol.errors import AuthError
from livesync.transports.routing import websocket_application
from tests.clients import PUSHED, SUCCESS, SyncClient
from tests.factories import make_events
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.peers import Dial, stored
from tests.storage import STORE

HERE = "tests.integration.livesync.transports.test_hooks_at_the_door."

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


# what a store is called


class Tenants(OpenHooks):
    """The payload names a tenant, whose stores are kept apart from those of others."""

    async def validate_payload(self, payload: Any, context: Context) -> Context:
        return replace(context, payload={"tenant": payload})

    def stored_store_id(self, store_id: str, context: Context) -> str:  # type: ignore[override]
        if context.payload["tenant"] == "nobody":
            raise AuthError("No tenant")
        return f"{context.payload['tenant']}/{store_id}"


async def test_tenants_have_stores_of_the_same_name(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Tenants")
    one, two = await dial(payload="one"), await dial(payload="two")

    assert await one.push(make_events(2)) == PUSHED
    assert await two.push(make_events(1)) == PUSHED

    assert await one.pull() == ([1, 2], SUCCESS)
    assert await two.pull() == ([1], SUCCESS)
    assert [await stored(name) for name in ("one/store", "two/store", STORE)] == [[1, 2], [1], None]


async def test_a_live_pull_hears_of_its_tenant_s_store_only(tune: Tune) -> None:
    tune(hooks=HERE + "Tenants")
    async with (
        SyncClient(websocket_application, STORE, payload="one") as one,
        SyncClient(websocket_application, STORE, payload="two") as two,
    ):
        live = one.pull(live=True)
        await one.page(live)
        await two.exit(two.push(make_events(3)))
        await one.exit(one.push(make_events(1)))

        assert await one.numbers(live, 1) == [1]


@pytest.mark.parametrize(
    ("tenant", "text"),
    [
        ("nobody", "UnknownError: No tenant"),
        ("x" * 600, "UnknownError: the stored store id is empty or too long"),
        ("a\nb", "UnknownError: the stored store id is not printable"),
        ("\ud83d", "UnknownError: the stored store id is not printable"),
    ],
)
async def test_a_store_that_cannot_be_kept_is_refused(
    dial: Dial, tune: Tune, tenant: str, text: str
) -> None:
    tune(hooks=HERE + "Tenants")

    assert await dial.knock(payload=tenant) == (400, text)


# what validate_payload gives


class Deriving(OpenHooks):
    """Adds what it found out, or what it must not change."""

    seen: list[Context] = []

    async def validate_payload(self, payload: Any, context: Context) -> Any:
        if payload == "another store":
            return replace(context, store_id="another")
        if payload == "no context":
            return True
        return replace(context, payload="derived", expires_at=datetime(2100, 1, 1, tzinfo=UTC))

    async def may_push(self, context: Context) -> bool:
        self.seen.append(context)
        return True


async def test_later_hooks_get_the_context_that_was_derived(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "Deriving")
    Deriving.seen.clear()

    await (await dial(payload="raw")).push(make_events(1))

    (context,) = Deriving.seen
    assert (context.store_id, context.stored_store_id) == (STORE, STORE)
    assert (context.transport, context.payload) == (dial.transport, "derived")
    assert context.expires_at == datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("payload", ["another store", "no context"])
async def test_a_context_of_another_store_is_a_bug_that_lets_nobody_in(
    dial: Dial, tune: Tune, payload: str, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Deriving")

    answer = await dial.knock(payload=payload)

    assert answer == (400, "UnknownError: the payload could not be validated")
    assert "neither None nor a context of the same store" in caplog.text


# what validate_payload is given


class Token(msgspec.Struct):
    """What a client of this site has to send."""

    token: str
    scope: str = "all"


class WithSchema(OpenHooks):
    """Wants a token."""

    payload_schema = Token

    async def validate_payload(self, payload: Token, context: Context) -> None:
        assert payload is context.payload
        if payload != Token("good"):
            raise AuthError(f"{payload.token} of {payload.scope}")


class WithBrokenSchema(OpenHooks):
    """Has no type that could be read."""

    payload_schema = "Token"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"token": "bad"}, "bad of all"),
        (None, "the payload does not fit: Expected `object`, got `null`"),
        ({"token": 1}, "the payload does not fit: Expected `str`, got `int` - at `$.token`"),
        ([], "the payload does not fit: Expected `object`, got `array`"),
    ],
)
async def test_a_payload_of_another_shape_is_refused_first(
    dial: Dial, tune: Tune, payload: object, reason: str
) -> None:
    tune(hooks=HERE + "WithSchema")

    assert await dial.knock(payload=payload) == (400, f"UnknownError: {reason}")


async def test_a_payload_of_the_right_shape_is_given_as_its_type(dial: Dial, tune: Tune) -> None:
    tune(hooks=HERE + "WithSchema")

    assert await (await dial(payload={"token": "good"})).push(make_events(1)) == PUSHED


async def test_a_schema_that_is_none_lets_nobody_in(
    dial: Dial, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "WithBrokenSchema")

    answer = await dial.knock(payload={"token": "good"})

    assert answer == (400, "UnknownError: the payload could not be validated")
    assert "a hook of the site failed: payload_schema" in caplog.text


async def test_a_transport_that_is_not_enabled_is_refused(dial: Dial, tune: Tune) -> None:
    tune(enabled_transports=tuple({"ws", "http", "rpc"} - {dial.transport}))

    refusal = f"UnknownError: the transport {dial.transport} is not enabled"
    assert await dial.knock() == (400, refusal)
