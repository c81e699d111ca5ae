"""Who may sync: each kind of credential, accepted and refused, over each transport."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import connect

from tests.clients import sync_query
from tests.e2e.conftest import SyncProcesses, url_of
from tests.e2e.node_clients import NodeClientError, Transport
from tests.factories import make_events, wire_events
from tests.issuers import AUDIENCE, ISSUER, SECRET, Issuer
from tests.processes import DEADLINE_S, wait_until
from tests.site_process import SiteProcess

SHARED_SECRET = "CANARY-7f3a a secret of some length"
ORIGIN = "https://app.example"
RIGHT_HAS_ENDED = 3000
"""The close code; LiveStore's client does not tell which one it got."""

OURS, STRANGER = Issuer("HS256"), Issuer("ES256", name="stranger")

MAKE_CREDENTIALS = """
import json
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token
from livesync.auth.store_tokens import Opens, create_token, tokens

user = User.objects.create_user("ada")
client = Client()
client.force_login(user)
made = {
    "drf-token": Token.objects.create(user=user).key,
    "session": client.session.session_key,
    "store-token": create_token(Opens("store-", is_prefix=True)),
    "reader": create_token(Opens("store-", is_prefix=True, may_push=False)),
    "elsewhere": create_token(Opens("another-", is_prefix=True)),
    "passing": create_token(Opens("store-", is_prefix=True), label="passing"),
}
print(json.dumps(made))
"""
REVOKE = """
from livesync.auth.store_tokens import TOKENS, tokens
print(TOKENS.revoke(tokens().get(label="passing").pk))
"""


class Guarded(NamedTuple):
    """A site that asks for a credential, and some that it knows, by their kinds."""

    site: SiteProcess
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.e2e.watchful_settings",
        "SYNCSITE_AUTH": "shared-secret,jwt,store-token,drf-token,django",
        "SYNCSITE_AUTH_SECRET": SHARED_SECRET,
        "SYNCSITE_ALLOWED_ORIGINS": ORIGIN,
        "SYNCSITE_JWT_ALGORITHMS": "HS256",
        "SYNCSITE_JWT_KEY": SECRET,
        "SYNCSITE_JWT_ISSUER": ISSUER,
        "SYNCSITE_JWT_AUDIENCE": AUDIENCE,
    }
    with SiteProcess(environment=environment) as site:
        made = json.loads(_shell(site, MAKE_CREDENTIALS))
        yield Guarded(site, {"shared-secret": SHARED_SECRET, "jwt": OURS.token(), **made})


def _shell(site: SiteProcess, code: str) -> str:
    return site.manage("shell", "--verbosity", "0", "--command", code).strip()


@pytest.fixture(params=["ws", "http", "rpc"])
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


def cookie(session: str, *, origin: str = ORIGIN) -> dict[str, str]:
    """What a browser sends for a page of ``origin``."""
    return {"cookie": f"sessionid={session}", "origin": origin}


def client_of(
    guarded: Guarded, processes: SyncProcesses, transport: Transport, store_id: str, token: str
) -> Any:
    """A client that sends a token."""
    return processes.first.client(
        url=url_of(guarded.site, transport),
        store_id=store_id,
        transport=transport,
        payload={"authToken": token},
    )


@pytest.mark.parametrize("kind", ["shared-secret", "jwt", "store-token", "drf-token"])
async def test_who_has_a_credential_syncs(
    guarded: Guarded,
    sync_processes: SyncProcesses,
    transport: Transport,
    store_id: str,
    kind: str,
) -> None:
    token = guarded.tokens[kind]
    async with client_of(guarded, sync_processes, transport, store_id, token) as client:
        await client.push(*wire_events(make_events(1)))

        assert [len(page.events) for page in await client.pull()] == [1]


async def test_who_is_signed_in_syncs(
    guarded: Guarded, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=url_of(guarded.site, transport),
        store_id=store_id,
        transport=transport,
        headers=cookie(guarded.tokens["session"]),
    ) as client:
        await client.push(*wire_events(make_events(1)))

        assert [len(page.events) for page in await client.pull()] == [1]


async def test_who_may_only_read_pulls_and_is_refused_a_push(
    guarded: Guarded, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    reader = guarded.tokens["reader"]
    async with client_of(guarded, sync_processes, transport, store_id, reader) as client:
        with pytest.raises(NodeClientError) as refused:
            await client.push(*wire_events(make_events(1)))

        assert refused.value.tag == "UnknownError"
        assert [page.events for page in await client.pull()] == [[]]


def wrong(guarded: Guarded) -> dict[str, dict[str, Any]]:
    """What a client sends who is not to sync: nothing, or a wrong credential of each kind."""
    tokens = {
        "shared-secret": "another secret",
        "jwt-of-a-stranger": STRANGER.token(),
        "jwt-that-has-expired": OURS.token(exp=5),
        "jwt-of-another-store": OURS.token(stores=["another"]),
        "store-token-of-another-store": guarded.tokens["elsewhere"],
        "drf-token": guarded.tokens["drf-token"][::-1],
        "session-as-token": guarded.tokens["session"],
    }
    session = guarded.tokens["session"]
    return {
        **{name: {"payload": {"authToken": token}} for name, token in tokens.items()},
        "nothing": {},
        "session": {"headers": cookie(session[::-1])},
        "session-from-elsewhere": {"headers": cookie(session, origin="https://evil.example")},
    }


@pytest.mark.parametrize("transport", ["http", "rpc"])
async def test_who_has_none_is_refused_over_http(
    guarded: Guarded, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    url = guarded.site.http_url
    for options in wrong(guarded).values():
        async with sync_processes.first.client(
            url=url, store_id=store_id, transport=transport, **options
        ) as client:
            with pytest.raises(NodeClientError) as refused:
                await client.push(*wire_events(make_events(1)))

        assert refused.value.tag == "UnknownError"


async def test_who_has_none_never_connects_over_websocket(
    guarded: Guarded, sync_processes: SyncProcesses, store_id: str
) -> None:
    async with AsyncExitStack() as clients:
        connected = {}
        for name, options in wrong(guarded).items():
            client = await clients.enter_async_context(
                sync_processes.first.client(
                    url=f"{guarded.site.ws_url}/{name}",
                    store_id=store_id,
                    transport="ws",
                    **options,
                )
            )
            connected[name] = client.watch_connected()

        for name, seen in connected.items():
            status = 403 if name == "session-from-elsewhere" else 400
            await _until_answered(guarded.site, name, status)
            assert not await seen.next()
            assert not any(seen.drain())


async def test_a_credential_that_ends_closes_the_socket_that_it_opened(
    guarded: Guarded, sync_processes: SyncProcesses, store_id: str
) -> None:
    """The client then tries again, with the credential that it has, and is refused."""
    token = guarded.tokens["passing"]
    async with sync_processes.first.client(
        url=f"{guarded.site.ws_url}/passing",
        store_id=store_id,
        transport="ws",
        payload={"authToken": token},
    ) as client:
        await client.push(*wire_events(make_events(1)))
        connected = client.watch_connected()
        while not await connected.next():
            pass
        socket = await connect(_socket_url(guarded.site, store_id, token))

        assert await asyncio.to_thread(_shell, guarded.site, REVOKE) == "True"

        async with asyncio.timeout(DEADLINE_S):
            await socket.wait_closed()
        assert socket.close_code == RIGHT_HAS_ENDED
        while await connected.next():
            pass
        await _until_answered(guarded.site, "passing", 400)
        assert not any(connected.drain())


def _socket_url(site: SiteProcess, store_id: str, token: str) -> str:
    return f"{site.ws_url}/?{sync_query(store_id, 'ws', {'authToken': token}).decode()}"


async def _until_answered(site: SiteProcess, path: str, status: int) -> None:
    """Wait until a handshake at ``path`` was answered with ``status``."""
    line = f'"WebSocket /{path}" {status}'
    await asyncio.to_thread(wait_until, lambda: line in site.log, what=line)


async def test_no_credential_reaches_the_log(
    guarded: Guarded, sync_processes: SyncProcesses, transport: Transport, store_id: str
) -> None:
    async with sync_processes.first.client(
        url=url_of(guarded.site, transport),
        store_id=store_id,
        transport=transport,
        payload={"authToken": SHARED_SECRET, "canary": "yellow-7f3a"},
    ) as client:
        await client.pull()

    log = guarded.site.log
    assert [kind for kind, token in guarded.tokens.items() if token in log] == []
    assert "yellow-7f3a" not in log
    assert "CANARY" not in log
