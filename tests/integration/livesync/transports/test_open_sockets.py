"""A right that ends takes its open sockets with it."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from groundwork.frames import UNAUTHORIZED
from livesync.auth import threads
from livesync.auth.store_tokens import Opens, create_token, tokens
from livesync.hooks import Context, OpenHooks
from livesync.models import StorePermission
from livesync.protocol.errors import AuthError
from livesync.transports import consumers
from tests.clients import ClosedError, SyncClient, error_of, until
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.issuers import Issuer
from tests.storage import STORE

OURS, NEXT = Issuer("ES256"), Issuer("ES256", name="next")
ORIGIN = {"origin": "https://app.example"}
HERE = "tests.integration.livesync.transports.test_open_sockets."

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("_users", "store"),
]


@pytest.fixture
def _users(transactional_db: None) -> None:
    """Users may be written; before ``store``, which exchanges the other database."""


class Sweeper:
    """Lets time pass for sockets: they are looked after when a test says so, and only then."""

    def __init__(self) -> None:
        self.opened: list[consumers.SyncConsumer] = []

    async def pass_s(self, seconds: float) -> None:
        """Look after every socket as if so much later, and wait until that is done."""
        for consumer in self.opened:
            consumer.last_frame_at += seconds
            consumer._look_after_access(time.monotonic() + seconds)
        await until(lambda: all(_is_settled(consumer) for consumer in self.opened))


def _is_settled(consumer: consumers.SyncConsumer) -> bool:
    return consumer.is_closed or consumer._revalidate_at != float("inf")


@pytest.fixture
def sweeper(monkeypatch: pytest.MonkeyPatch) -> Sweeper:
    sweeper = Sweeper()
    set_up = consumers.SyncConsumer._set_up

    def noticed(consumer: consumers.SyncConsumer, *args: Any) -> None:
        set_up(consumer, *args)
        sweeper.opened.append(consumer)

    monkeypatch.setattr(consumers.SyncConsumer, "_set_up", noticed)
    return sweeper


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await threads.get_threads().run(work)


async def _closed_with(client: SyncClient) -> int:
    with pytest.raises(ClosedError) as closed:
        await client.receive()
    return closed.value.code


async def test_a_socket_ends_with_its_token(
    choose: Tune, connect: Connect, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("jwt", jwt_leeway_s=0, **OURS.settings())
    now = timezone.now()
    short, long = (OURS.token(exp=now.timestamp() + seconds) for seconds in (100, 1_000))
    first = await connect(payload={"authToken": short})
    second = await connect(payload={"authToken": long})
    live = first.pull(live=True)
    await first.page(live)

    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=99))
    await sweeper.pass_s(0)
    await first.ping()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=101))
    await sweeper.pass_s(0)

    assert await _closed_with(first) == UNAUTHORIZED
    await second.ping()


async def test_a_socket_that_came_late_ends_with_the_grace(
    choose: Tune, connect: Connect, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("jwt", jwt_leeway_s=0, jwt_grace_s=100, **OURS.settings())
    now = timezone.now()
    client = await connect(payload={"authToken": OURS.token(exp=int(now.timestamp()) - 50)})

    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=45))
    await sweeper.pass_s(0)
    await client.ping()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=51))
    await sweeper.pass_s(0)

    assert await _closed_with(client) == UNAUTHORIZED


async def test_the_code_can_be_said_where_others_cannot(
    choose: Tune, connect: Connect, sweeper: Sweeper
) -> None:
    choose("store-token")
    token = await _in_thread(lambda: create_token(Opens(STORE)))
    client = await connect(payload={"authToken": token}, extensions={})
    await _in_thread(lambda: tokens().delete())

    await sweeper.pass_s(31)

    assert await _closed_with(client) == UNAUTHORIZED


@sync_to_async
def _sign_in() -> dict[str, str]:
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    return ORIGIN | {"cookie": client.cookies.output(header="", sep=";").partition(";")[0].strip()}


async def _by_store_token() -> tuple[dict[str, Any], Callable[[], Any]]:
    token = await _in_thread(lambda: create_token(Opens(STORE)))
    return {"payload": {"authToken": token}}, lambda: tokens().update(revoked_at=timezone.now())


async def _by_session() -> tuple[dict[str, Any], Callable[[], Any]]:
    return {"headers": await _sign_in()}, Session.objects.all().delete


async def _by_user() -> tuple[dict[str, Any], Callable[[], Any]]:
    return {"headers": await _sign_in()}, lambda: User.objects.update(is_active=False)


async def _by_drf_token() -> tuple[dict[str, Any], Callable[[], Any]]:
    user = await User.objects.acreate(username="bob")
    key = (await sync_to_async(Token.objects.create)(user=user)).key
    return {"payload": {"authToken": key}}, Token.objects.all().delete


@pytest.mark.parametrize("by", [_by_store_token, _by_session, _by_user, _by_drf_token])
async def test_what_is_revoked_closes_the_sockets_it_had_opened(
    choose: Tune, connect: Connect, sweeper: Sweeper, by: Any
) -> None:
    choose("store-token", "session", "drf-token")
    options, revoke = await by()
    client = await connect(**options)

    await sweeper.pass_s(31)
    await client.ping()
    await _in_thread(revoke)
    await sweeper.pass_s(62)

    assert await _closed_with(client) == UNAUTHORIZED


async def test_a_key_that_counts_no_more_closes_the_sockets_it_had_opened(
    choose: Tune, connect: Connect, sweeper: Sweeper
) -> None:
    choose("jwt", **OURS.settings())
    client = await connect(payload={"authToken": OURS.token()})

    choose("jwt", **OURS.settings() | {"jwt_keys": (NEXT.key, OURS.key)})
    await sweeper.pass_s(31)
    await client.ping()
    choose("jwt", **OURS.settings() | {"jwt_keys": (NEXT.key,)})
    await sweeper.pass_s(62)

    assert await _closed_with(client) == UNAUTHORIZED


async def test_a_permission_that_is_taken_away_is_noticed(
    choose: Tune, connect: Connect, sweeper: Sweeper, store: Store
) -> None:
    choose("jwt", store_permissions=True, **OURS.settings())
    permissions = StorePermission.objects.filter(store=STORE)
    await _in_thread(
        lambda: StorePermission.objects.create(
            holder_kind="subject", holder_key="ada", store=STORE, may_push=True
        )
    )
    client = await connect(payload={"authToken": OURS.token(sub="ada")})
    assert (await client.exit(client.push(make_events(1))))["_tag"] == "Success"

    await _in_thread(lambda: permissions.update(may_push=False))
    await sweeper.pass_s(31)
    refused = error_of(await client.exit(client.push(make_events(1, after=1))))
    assert refused["cause"]["message"] == "Not allowed to push to this store"
    pull = client.pull()
    assert await client.numbers(pull, 1) == [1]
    await client.exit(pull)

    await _in_thread(permissions.delete)
    await sweeper.pass_s(62)
    assert await _closed_with(client) == UNAUTHORIZED
    assert await store.numbers() == [1]


async def test_nothing_is_asked_before_its_time(
    choose: Tune, connect: Connect, sweeper: Sweeper
) -> None:
    choose("store-token")
    token = await _in_thread(lambda: create_token(Opens(STORE)))
    client = await connect(payload={"authToken": token})
    await sweeper.pass_s(31)
    await _in_thread(lambda: tokens().delete())

    await sweeper.pass_s(29)

    await client.ping()


async def test_a_database_that_is_away_revokes_nothing(
    choose: Tune, connect: Connect, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("store-token")
    token = await _in_thread(lambda: create_token(Opens(STORE)))
    client = await connect(payload={"authToken": token})
    await _in_thread(lambda: tokens().delete())
    threads.get_threads().stop()
    settings = connections["livesync"].settings_dict

    with monkeypatch.context() as moved:
        moved.setitem(settings, "NAME", str(settings["NAME"]).replace("livesync.", "lost."))
        await sweeper.pass_s(31)
        await client.ping()

    threads.get_threads().stop()
    await sweeper.pass_s(62)
    assert await _closed_with(client) == UNAUTHORIZED


class Doorkeeper(OpenHooks):
    """A site's own hooks, which ask again."""

    asked = 0

    async def revalidate(self, context: Context) -> None:
        Doorkeeper.asked += 1
        if Doorkeeper.asked == 2:
            raise ValueError("a bug")
        if Doorkeeper.asked == 3:
            raise AuthError("Not any more")


async def test_a_site_may_ask_again_by_itself(
    tune: Tune, connect: Connect, sweeper: Sweeper, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Doorkeeper", auth_recheck_s=30.0)
    client = await connect()

    await sweeper.pass_s(31)
    await sweeper.pass_s(62)
    await client.ping()
    assert "a hook of the site failed: revalidate" in caplog.text
    await sweeper.pass_s(93)

    assert await _closed_with(client) == UNAUTHORIZED
    assert Doorkeeper.asked == 3


async def test_sockets_are_not_all_asked_about_at_once(
    choose: Tune, connect: Connect, sweeper: Sweeper
) -> None:
    choose("store-token")
    token = await _in_thread(lambda: create_token(Opens(STORE)))
    before = time.monotonic()

    await asyncio.gather(*(connect(payload={"authToken": token}) for _ in range(20)))

    times = sorted(consumer._revalidate_at for consumer in sweeper.opened)
    assert len(set(times)) > 10
    assert before <= times[0] < times[-1] <= time.monotonic() + 30
