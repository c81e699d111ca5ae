"""Each kind of credential, accepted and refused, over each transport and from each place."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from livesync.auth import threads
from livesync.auth.store_tokens import Opens, create_token, tokens
from livesync.models import StorePermission
from livesync.storage import get_engine, get_readers
from syncsite.sync_handler import SyncHandler
from tests.clients import HttpClient, error_of
from tests.factories import make_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Tune
from tests.integration.livesync.transports.knocking import OK, knock
from tests.issuers import SECRET, Issuer
from tests.storage import STORE

REFUSED = (400, "UnknownError: Invalid auth token")
UNAVAILABLE = (503, "UnknownError: the storage is unavailable; try again later")
NOT_TO_PUSH = "Not allowed to push to this store"
ORIGIN = {"origin": "https://app.example"}
OURS, STRANGER = Issuer("ES256"), Issuer("ES256", name="stranger")
TRANSPORTS = pytest.mark.parametrize("transport", ["ws", "http"])

Give = Callable[[str], dict[str, Any]]
"""Turns a token into the options of a client that sends it."""

pytestmark = [
    pytest.mark.parametrize("vendor", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("_users", "store"),
]


@pytest.fixture
def _users(transactional_db: None) -> None:
    """Users may be written; before ``store``, which exchanges the other database."""


@pytest.fixture(params=["payload", "header"])
def give(request: pytest.FixtureRequest) -> Give:
    """A way to send a token."""
    if request.param == "payload":
        return lambda token: {"payload": {"authToken": token}}
    return lambda token: {"headers": {"authorization": f"Bearer {token}"}}


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await threads.get_threads().run(work)


async def _make(opens: Opens, **more: Any) -> str:
    token: str = await _in_thread(lambda: create_token(opens, **more))
    return token


@sync_to_async
def _user(name: str = "ada", **fields: Any) -> User:
    return User.objects.create_user(name, **fields)


@sync_to_async
def _sign_in(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return ORIGIN | {"cookie": client.cookies.output(header="", sep=";").partition(";")[0].strip()}


# JSON Web Tokens


@TRANSPORTS
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
async def test_a_token_of_the_issuer_lets_in(
    transport: str, choose: Tune, give: Give, algorithm: str
) -> None:
    issuer = Issuer(algorithm)
    choose("jwt", **issuer.settings())

    assert await knock(transport, **give(issuer.token())) == OK
    assert await knock(transport, **give(issuer.token() + "x")) == REFUSED


@TRANSPORTS
async def test_any_other_token_does_not(transport: str, choose: Tune, give: Give) -> None:
    choose("jwt", jwt_claims_prefix="https://x/", **OURS.settings())
    now = int(time.time())

    for token in (
        STRANGER.token(),
        OURS.token(exp=now - 60),
        OURS.token(aud="another.example"),
        OURS.token(iss="https://evil.example/"),
        OURS.token(nbf=now + 60),
        OURS.token(sub="a\x00b"),
        OURS.token(**{"https://x/stores": ["another"]}),
        OURS.token(**{"https://x/store_prefixes": [STORE + "-"]}),
        OURS.token(**{"https://x/stores": STORE}),
        OURS.token(**{"https://x/access": "none"}),
        "no token",
    ):
        assert await knock(transport, **give(token)) == REFUSED, token


@TRANSPORTS
async def test_without_a_token_nobody_is_let_in(transport: str, choose: Tune) -> None:
    choose("jwt", "session", "store-token", "drf-token", "shared-secret", **OURS.settings())

    for payload in (None, {}, [], "x", {"authToken": None}, {"authToken": ""}, {"authToken": [1]}):
        assert await knock(transport, payload=payload) == REFUSED
    assert await knock(transport, headers={"authorization": "Bearer "}) == REFUSED


@TRANSPORTS
async def test_a_client_that_was_offline_comes_back_within_the_grace(
    transport: str, choose: Tune, give: Give
) -> None:
    choose("jwt", jwt_grace_s=3_600, **OURS.settings())
    now = int(time.time())

    assert await knock(transport, **give(OURS.token(exp=now - 1_800))) == OK
    assert await knock(transport, **give(OURS.token(exp=now - 5_400))) == REFUSED


# Django sessions and tokens of DRF


@TRANSPORTS
async def test_who_is_signed_in_is_let_in_until_they_sign_out(transport: str, choose: Tune) -> None:
    choose("session")
    user = await _user()
    headers = await _sign_in(user)

    assert await knock(transport, headers=headers) == OK
    assert await knock(transport, headers={**headers, "origin": "https://evil.example"}) != OK
    assert (await knock(transport, headers={"cookie": headers["cookie"]}))[0] == 403
    assert await knock(transport, headers=ORIGIN | {"cookie": "sessionid=x"}) == REFUSED

    await Session.objects.all().adelete()
    assert await knock(transport, headers=headers) == REFUSED


async def test_a_secret_key_of_before_signs_nobody_out(choose: Tune, settings: Any) -> None:
    choose("session")
    headers = await _sign_in(await _user())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, of which no browser can be told on this way: 0123456789"

    assert await knock("http", headers=headers) == OK
    assert await knock("http", headers=headers) == OK


@TRANSPORTS
async def test_a_token_of_drf_lets_in_until_it_is_deleted(transport: str, choose: Tune) -> None:
    choose("drf-token")
    key = (await sync_to_async(Token.objects.create)(user=await _user())).key
    ways: list[dict[str, Any]] = [
        {"payload": {"authToken": key}},
        {"headers": {"authorization": f"Token {key}"}},
        {"headers": {"authorization": f"Bearer {key}"}},
    ]

    assert [await knock(transport, **way) for way in ways] == [OK] * 3
    for wrong in (key[:-1], key + "0", key.upper(), "0" * 40, "\x00" * 40, "é" * 40):
        assert await knock(transport, payload={"authToken": wrong}) == REFUSED

    await User.objects.aupdate(is_active=False)
    assert [await knock(transport, **way) for way in ways] == [REFUSED] * 3


# tokens of stores


@TRANSPORTS
async def test_a_token_opens_its_store_and_no_other(
    transport: str, choose: Tune, give: Give
) -> None:
    choose("store-token")
    options = give(await _make(Opens(STORE)))

    assert await knock(transport, **options) == OK
    for other in (STORE + "x", STORE[:-1], STORE.upper(), f"{STORE}/", "other", "*"):
        assert await knock(transport, store_id=other, **options) == REFUSED


@TRANSPORTS
async def test_a_token_of_a_prefix_opens_what_begins_with_it(
    transport: str, choose: Tune, give: Give
) -> None:
    choose("store-token")
    options = give(await _make(Opens("team-%_", is_prefix=True)))

    for store_id, answer in {
        "team-%_": OK,
        "team-%_1": OK,
        "team-": REFUSED,
        "team-x1": REFUSED,
        "TEAM-%_1": REFUSED,
    }.items():
        assert await knock(transport, store_id=store_id, **options) == answer, store_id


@TRANSPORTS
async def test_a_token_that_was_revoked_or_has_expired_opens_nothing(
    transport: str, choose: Tune, give: Give
) -> None:
    choose("store-token")
    revoked = await _make(Opens(STORE))
    expired = await _make(Opens(STORE), expires_at=timezone.now() - timedelta(seconds=1))
    await _in_thread(lambda: tokens().filter(expires_at=None).update(revoked_at=timezone.now()))

    assert await knock(transport, **give(revoked)) == REFUSED
    assert await knock(transport, **give(expired)) == REFUSED
    assert await knock(transport, **give("store_" + "x" * 43)) == REFUSED


async def test_only_the_digest_of_a_token_is_stored(choose: Tune) -> None:
    choose("store-token")
    token = await _make(Opens(STORE), label="laptop")
    assert await knock("http", payload={"authToken": token}) == OK

    def stored() -> list[Any]:
        with connections["livesync"].cursor() as cursor:
            cursor.execute("SELECT * FROM livesync_storetoken")
            return [value for row in cursor.fetchall() for value in row]

    values = await _in_thread(stored)
    assert token.encode() not in {bytes(str(value), "utf-8") for value in values}
    assert len(next(bytes(value) for value in values if isinstance(value, bytes))) == 32
    assert await _in_thread(lambda: tokens().get().last_used_at) is not None


# who may only read


async def _push_and_pull(options: dict[str, Any]) -> tuple[str, list[int]]:
    http = HttpClient(SyncHandler(), STORE, **options)
    pushed = await http.push(make_events(1))
    chunks = (await http.pull())[:-1]
    told = "" if pushed["_tag"] == "Success" else error_of(pushed)["cause"]["message"]
    numbers = [item["eventEncoded"]["seqNum"] for c in chunks for item in c["values"][0]["batch"]]
    return told, numbers


async def test_who_may_only_read_pulls_and_does_not_push(choose: Tune, store: Store) -> None:
    choose("jwt", "store-token", **OURS.settings())
    readers = [OURS.token(access="read-only"), await _make(Opens(STORE, may_push=False))]

    for token in readers:
        assert await _push_and_pull({"payload": {"authToken": token}}) == (NOT_TO_PUSH, [])
    writer = {"payload": {"authToken": OURS.token(access="read-write")}}
    assert await _push_and_pull(writer) == ("", [1])
    for token in readers:
        assert await _push_and_pull({"payload": {"authToken": token}}) == (NOT_TO_PUSH, [1])


async def test_who_may_only_read_is_told_so_on_a_socket_that_stays_open(
    choose: Tune, connect: Any, store: Store
) -> None:
    choose("store-token")
    await store.push(make_events(1))
    token = await _make(Opens(STORE, may_push=False))
    client = await connect(payload={"authToken": token})

    refused = error_of(await client.exit(client.push(make_events(1, after=1))))

    assert refused["cause"]["message"] == NOT_TO_PUSH
    assert await client.numbers(client.pull(), 1) == [1]
    assert await store.numbers() == [1]


# store permissions


async def _permit(kind: str, key: Any, store: str = STORE, **fields: Any) -> None:
    await _in_thread(
        lambda: StorePermission.objects.create(
            holder_kind=kind, holder_key=str(key), store=store, **fields
        )
    )


@TRANSPORTS
async def test_a_user_needs_a_permission_where_the_site_wants_one(
    transport: str, choose: Tune
) -> None:
    choose("session", store_permissions=True)
    user, other = await _user(), await _user("bob", is_superuser=True)
    headers, others = await _sign_in(user), await _sign_in(other)
    assert await knock(transport, headers=headers) == REFUSED

    await _permit("user", user.pk)

    assert await knock(transport, headers=headers) == OK
    assert await knock(transport, headers=headers, store_id="another") == REFUSED
    assert await knock(transport, headers=others) == REFUSED


async def test_members_of_a_group_have_its_permissions(choose: Tune) -> None:
    choose("session", store_permissions=True)
    user = await _user()
    headers = await _sign_in(user)
    group = await Group.objects.acreate(name="painters")
    await _permit("group", group.pk, "painters-", is_prefix=True)
    await _permit("user", group.pk + 1, "of somebody else")

    assert await knock("http", headers=headers, store_id="painters-1") == REFUSED
    await sync_to_async(user.groups.add)(group)
    assert await knock("http", headers=headers, store_id="painters-1") == OK
    assert await knock("http", headers=headers, store_id="Painters-1") == REFUSED
    assert await knock("http", headers=headers, store_id="of somebody else") == REFUSED


async def test_the_subject_of_a_token_has_permissions_of_its_own(choose: Tune) -> None:
    choose("jwt", store_permissions=True, **OURS.settings())
    user = await _user()
    await _permit("subject", "auth0|7", may_push=True)
    await _permit("user", user.pk)

    async def outcome(**claims: Any) -> tuple[int, str]:
        return await knock("http", payload={"authToken": OURS.token(**claims)})

    assert await outcome(sub="auth0|7") == OK
    assert await outcome(sub="auth0|8") == REFUSED
    assert await outcome() == REFUSED
    assert await outcome(sub=str(user.pk)) == REFUSED
    assert await outcome(sub="auth0|7", stores=["another"]) == REFUSED


async def test_the_better_of_two_permissions_counts_but_no_more_than_the_token_opens(
    choose: Tune,
) -> None:
    choose("jwt", store_permissions=True, **OURS.settings())
    await _permit("subject", "ada")
    await _permit("subject", "ada", STORE[:2], is_prefix=True, may_push=True)
    await _permit("subject", "bob")

    async def told(**claims: Any) -> str:
        return (await _push_and_pull({"payload": {"authToken": OURS.token(**claims)}}))[0]

    assert await told(sub="bob") == NOT_TO_PUSH
    assert await told(sub="ada", access="read-only") == NOT_TO_PUSH
    assert await told(sub="ada") == ""


async def test_tokens_of_stores_are_permissions_themselves(choose: Tune) -> None:
    choose("store-token", store_permissions=True)

    assert await knock("http", payload={"authToken": await _make(Opens(STORE))}) == OK


# several kinds


@TRANSPORTS
async def test_any_of_several_kinds_lets_in(transport: str, choose: Tune) -> None:
    choose(
        "session", "jwt", "store-token", "shared-secret", shared_secret=SECRET, **OURS.settings()
    )
    headers = await _sign_in(await _user())
    token = await _make(Opens(STORE))

    assert await knock(transport, headers=headers) == OK
    for given in (OURS.token(), token, SECRET):
        assert await knock(transport, payload={"authToken": given}) == OK
        assert await knock(transport, payload={"authToken": given + "x"}) == REFUSED
    # a session counts only for pages of allowed origins; here others are welcome with a token
    assert await knock(transport, headers={"cookie": headers["cookie"]}) == REFUSED
    evil = {"cookie": headers["cookie"], "origin": "https://evil.example"}
    assert (await knock(transport, headers=evil))[0] == 403


# nobody can find out what there is


@TRANSPORTS
async def test_the_answer_is_the_same_for_every_store_and_makes_none(
    transport: str, choose: Tune, store: Store
) -> None:
    choose("jwt", "store-token", "drf-token", store_permissions=True, **OURS.settings())
    await store.push(make_events(1))
    given = [OURS.token(sub="nobody"), STRANGER.token(), await _make(Opens("another")), "x" * 40]

    for token in given:
        payload = {"authToken": token}
        assert await knock(transport, payload=payload, store_id=STORE) == REFUSED
        assert await knock(transport, payload=payload, store_id="never seen") == REFUSED
    assert await get_readers().run(get_engine().states, ["never seen"]) == {}


@TRANSPORTS
async def test_no_token_reaches_a_log(
    transport: str, choose: Tune, give: Give, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    choose("jwt", "store-token", "shared-secret", shared_secret=SECRET, **OURS.settings())
    given = [OURS.token(), STRANGER.token(), OURS.token(exp=5), await _make(Opens("another"))]

    for token in [*given, SECRET, SECRET + "x"]:
        await knock(transport, **give(token))

    assert "a JSON Web Token was refused: no known key has signed it" in caplog.text
    assert "a JSON Web Token was refused: exp has passed" in caplog.text
    assert [token for token in [*given, SECRET] if token in caplog.text] == []
    assert [part for token in given for part in token.split(".") if part in caplog.text] == []


@TRANSPORTS
async def test_without_the_database_of_tokens_they_are_neither_good_nor_bad(
    transport: str, choose: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("store-token", "jwt", retry_budget_s=0.0, **OURS.settings())
    token = await _make(Opens(STORE))
    threads.get_threads().stop()  # the next ones open connections of their own
    settings = connections["livesync"].settings_dict

    with monkeypatch.context() as moved:
        moved.setitem(settings, "NAME", str(settings["NAME"]).replace("livesync.", "lost."))
        assert await knock(transport, payload={"authToken": token}) == UNAVAILABLE
        # another kind may know the caller all the same
        assert await knock(transport, payload={"authToken": OURS.token(stores=["b"])}) == REFUSED

    threads.get_threads().stop()
    assert await knock(transport, payload={"authToken": token}) == OK
