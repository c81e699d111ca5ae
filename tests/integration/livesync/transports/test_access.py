"""Who may sync which store, asked at every handshake and every request over HTTP."""

import asyncio
import logging
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from livesync.hooks import Context, Hooks
from livesync.protocol.errors import AuthError, InvalidBatchError
from livesync.storage import get_engine, get_readers
from tests.clients import DEADLINE_S, until
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.knocking import OK, knock

AUTH = "livesync.auth.hooks.AuthHooks"
HERE = "tests.integration.livesync.transports.test_access."
SECRET = "CANARY-7f3a-of-sixteen-characters"
NO_AUTH = (400, "UnknownError: no authentication is configured on this server")
ONLY_HERE = (400, "UnknownError: without authentication only this machine may sync")
REFUSED = (400, "UnknownError: Invalid auth token")
BROKEN_HOOK = (400, "UnknownError: the payload could not be validated")

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("store"),
]


@pytest.fixture(params=["ws", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# without a choice


@pytest.mark.parametrize(
    ("client", "exposed", "answer"),
    [
        (("127.0.0.1", 5), False, OK),
        (("127.8.9.1", 5), False, OK),
        (("::1", 5), False, OK),
        (("192.168.1.9", 5), False, ONLY_HERE),
        (("2001:db8::1", 5), False, ONLY_HERE),
        (("", 5), False, ONLY_HERE),
        (None, False, ONLY_HERE),
        (("192.168.1.9", 5), True, OK),
    ],
)
async def test_in_development_this_machine_may_and_others_when_asked_for(
    transport: str, tune: Tune, settings: Settings, client: Any, exposed: bool, answer: Any
) -> None:
    settings.DEBUG = True
    tune(hooks="livesync.hooks.Hooks", open_to_network=exposed)

    assert await knock(transport, client=client) == answer


@pytest.mark.parametrize("exposed", [False, True])
async def test_in_production_nobody_may_before_somebody_has_said_who(
    transport: str, tune: Tune, settings: Settings, exposed: bool
) -> None:
    settings.DEBUG = False
    tune(hooks="livesync.hooks.Hooks", open_to_network=exposed)

    assert await knock(transport) == NO_AUTH


async def test_open_hooks_are_a_choice(transport: str, settings: Settings) -> None:
    settings.DEBUG = False

    assert await knock(transport, client=("192.168.1.9", 5)) == OK


# a shared secret


@pytest.mark.parametrize(
    ("payload", "headers", "answer"),
    [
        ({"authToken": SECRET}, {}, OK),
        ({"authToken": SECRET, "more": [1]}, {}, OK),
        (None, {"authorization": f"Bearer {SECRET}"}, OK),
        (None, {"authorization": f"bearer   {SECRET} "}, OK),
        ({"authToken": "guess"}, {"authorization": f"Bearer {SECRET}"}, OK),
        ({"authToken": SECRET}, {"authorization": "Basic dTpw"}, OK),
        (None, {}, REFUSED),
        ({}, {}, REFUSED),
        ({"authToken": ""}, {}, REFUSED),
        ({"authToken": SECRET[:-1]}, {}, REFUSED),
        ({"authToken": SECRET + "x"}, {}, REFUSED),
        ({"authToken": SECRET.lower()}, {}, REFUSED),
        ({"authToken": [SECRET]}, {}, REFUSED),
        ({"authToken": None}, {}, REFUSED),
        ({"authToken": "\ud83d é"}, {}, REFUSED),
        ([SECRET], {}, REFUSED),
        (SECRET, {}, REFUSED),
        (None, {"authorization": SECRET}, REFUSED),
        (None, {"authorization": f"Basic {SECRET}"}, REFUSED),
        (None, {"cookie": f"authToken={SECRET}"}, REFUSED),
    ],
)
async def test_who_knows_the_secret_may(
    transport: str, tune: Tune, payload: object, headers: dict[str, str], answer: Any
) -> None:
    tune(hooks=AUTH, auth=("shared-secret",), shared_secret=SECRET)

    assert await knock(transport, payload=payload, headers=headers) == answer


async def test_without_a_secret_nobody_knows_it(transport: str, tune: Tune) -> None:
    tune(hooks=AUTH, auth=("shared-secret",), shared_secret="")

    assert await knock(transport, payload={"authToken": ""}) == REFUSED
    assert await knock(transport, headers={"authorization": "Bearer "}) == REFUSED


async def test_the_answer_is_the_same_for_every_store_and_makes_none(
    transport: str, tune: Tune, store: Store
) -> None:
    tune(hooks=AUTH, auth=("shared-secret",), shared_secret=SECRET)
    await store.push([])

    known = await knock(transport, store_id=store.id)
    unknown = await knock(transport, store_id="never seen")

    assert known == unknown == REFUSED
    assert await get_readers().run(get_engine().states, ["never seen"]) == {}


@pytest.mark.parametrize("token", [SECRET, SECRET + " and wrong"])
async def test_no_token_reaches_a_log(
    transport: str, tune: Tune, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tune(hooks=AUTH, auth=("shared-secret",), shared_secret=SECRET)

    await knock(transport, payload={"authToken": token})
    await knock(transport, headers={"authorization": f"Bearer {token}"})

    assert "CANARY" not in caplog.text


# signed in to Django


@pytest.fixture
def _users(transactional_db: None) -> None:
    """Users and sessions may be written; before ``store``, which exchanges the other database."""


def sign_in(**fields: Any) -> str:
    """Make a user and sign in; the Cookie header of their browser."""
    client = Client()
    client.force_login(User.objects.create_user("somebody", **fields))
    return client.cookies.output(header="", sep=";").partition(";")[0].strip()


def sign_out() -> None:
    Session.objects.all().delete()


ORIGIN = {"origin": "https://app.example"}


@pytest.mark.usefixtures("_users", "store")
async def test_who_is_signed_in_may(transport: str, tune: Tune) -> None:
    tune(hooks=AUTH, auth=("session",), allowed_origins=("https://app.example",))
    cookie = await sync_to_async(sign_in)()

    assert await knock(transport, headers=ORIGIN | {"cookie": cookie}) == OK
    assert await knock(transport, headers=ORIGIN | {"cookie": f"a=b; {cookie}; c=d"}) == OK


@pytest.mark.usefixtures("_users", "store")
@pytest.mark.parametrize("cookie", ["", "sessionid=", "sessionid=garbage", "sessionid", "other=x"])
async def test_who_is_not_signed_in_may_not(transport: str, tune: Tune, cookie: str) -> None:
    tune(hooks=AUTH, auth=("session",), allowed_origins=("https://app.example",))

    assert await knock(transport, headers=ORIGIN | {"cookie": cookie}) == REFUSED


@pytest.mark.usefixtures("_users", "store")
async def test_who_has_signed_out_may_no_longer(transport: str, tune: Tune) -> None:
    tune(hooks=AUTH, auth=("session",), allowed_origins=("https://app.example",))
    headers = ORIGIN | {"cookie": await sync_to_async(sign_in)()}
    assert await knock(transport, headers=headers) == OK

    await sync_to_async(sign_out)()

    assert await knock(transport, headers=headers) == REFUSED


@pytest.mark.usefixtures("_users", "store")
async def test_who_was_shut_out_may_no_longer(transport: str, tune: Tune) -> None:
    tune(hooks=AUTH, auth=("session",), allowed_origins=("https://app.example",))
    headers = ORIGIN | {"cookie": await sync_to_async(sign_in)()}

    await User.objects.aupdate(is_active=False)

    assert await knock(transport, headers=headers) == REFUSED


@pytest.mark.usefixtures("_users", "store")
@pytest.mark.parametrize(
    "origin", [None, "https://evil.example", "null", "https://app.example:444"]
)
async def test_a_session_counts_only_for_pages_of_allowed_origins(
    transport: str, tune: Tune, origin: str | None
) -> None:
    tune(hooks=AUTH, auth=("session",), allowed_origins=("https://app.example",))
    headers = {"cookie": await sync_to_async(sign_in)()} | ({"origin": origin} if origin else {})

    status, text = await knock(transport, headers=headers)

    assert status == 403
    assert "rigin" in text


# origins without sessions


@pytest.mark.parametrize(
    ("origin", "debug", "status"),
    [
        (None, False, 200),
        ("https://app.example", False, 200),
        ("HTTPS://APP.EXAMPLE", False, 200),
        ("https://app.example.evil.com", False, 403),
        ("https://app.example:444", False, 403),
        ("null", False, 403),
        ("http://localhost:5173", False, 403),
        ("http://localhost:5173", True, 200),
        ("http://[::1]:5173", True, 200),
        ("https://evil.example", True, 403),
    ],
)
async def test_pages_of_other_origins_may_not_connect(
    transport: str, tune: Tune, settings: Settings, origin: str | None, debug: bool, status: int
) -> None:
    settings.DEBUG = debug
    tune(allowed_origins=("https://app.example",))

    assert (await knock(transport, headers={"origin": origin} if origin else {}))[0] == status


# hooks of a site


class Recording(Hooks):
    """Remembers what it was asked."""

    asked: list[tuple[Any, Context]] = []

    async def validate_payload(self, payload: Any, context: Context) -> None:
        self.asked.append((payload, context))


class Blocking(Hooks):
    """Is not async, and lets nobody in by "wait" until somebody else was let in."""

    began = threading.Event()
    gate = threading.Event()

    def validate_payload(self, payload: Any, context: Context) -> None:  # type: ignore[override]
        if payload == "no":
            raise AuthError("Not you")
        if payload == "wait":
            self.began.set()
            assert self.gate.wait(DEADLINE_S)


class Failing(Hooks):
    """A hook with a bug, or one that borrows another error."""

    async def validate_payload(self, payload: Any, context: Context) -> None:
        raise InvalidBatchError("not today") if payload == "refuse" else ValueError("a bug")


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    Recording.asked.clear()


async def test_a_hook_is_asked_about_the_store_of_the_url(transport: str, tune: Tune) -> None:
    tune(hooks=HERE + "Recording")

    await knock(transport, store_id="a b", payload={"t": [1, None]}, headers={"X-Mine": "Yes"})

    ((payload, context),) = Recording.asked
    assert payload == {"t": [1, None]}
    assert (context.store_id, context.user, context.headers["x-mine"]) == ("a b", None, "Yes")


async def test_a_client_without_a_payload_is_asked_too(transport: str, tune: Tune) -> None:
    tune(hooks=HERE + "Recording")

    assert await knock(transport) == OK
    assert [payload for payload, _ in Recording.asked] == [None]


async def test_a_hook_that_is_not_async_keeps_no_other_socket_waiting(
    transport: str, tune: Tune
) -> None:
    tune(hooks=HERE + "Blocking")
    Blocking.began.clear()
    Blocking.gate.clear()
    waiting = asyncio.create_task(knock(transport, payload="wait"))
    await until(Blocking.began.is_set)

    assert await knock(transport, payload="yes") == OK
    assert await knock(transport, payload="no") == (400, "UnknownError: Not you")
    assert not waiting.done()
    Blocking.gate.set()
    assert await waiting == OK


async def test_a_hook_with_a_bug_lets_nobody_in_and_says_nothing(
    transport: str, tune: Tune, caplog: pytest.LogCaptureFixture
) -> None:
    tune(hooks=HERE + "Failing")

    assert await knock(transport) == BROKEN_HOOK
    assert "a hook of the site failed: validate_payload" in caplog.text
    assert await knock(transport, payload="refuse") == (400, "UnknownError: not today")


async def test_every_request_over_http_is_asked_about_anew(tune: Tune) -> None:
    tune(hooks=HERE + "Recording")

    await knock("http")
    await knock("http")

    assert len(Recording.asked) == 2
