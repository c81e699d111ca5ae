"""Two tenants have a store of one name; one tries everything, the other is none the wiser."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from livesync.services import stores
from livesync.storage import get_readers
from livesync.transports.routing import websocket_application
from tests.clients import RefusedError, SyncClient
from tests.conftest import Figure
from tests.factories import make_events, option, wire_events
from tests.integration.livesync.conftest import Store
from tests.integration.livesync.transports.conftest import Connect, Tune
from tests.integration.livesync.transports.ways import ask, ask_socket, request
from tests.issuers import Issuer

SEED = 20_261_122
MARK = "canary-7f3a"
NAME = "notes"
HIS, HERS = f"subject-bob/{NAME}", f"subject-ada/{NAME}"
ISSUER, STRANGER = Issuer("HS256"), Issuer("ES256", name="stranger")

STORE_IDS = (
    *(NAME, HIS, HERS, f"../{HIS}", f"{HIS}/", f"/{NAME}", "subject-bob", "subject-bob%2fnotes"),
    *("SUBJECT-BOB/notes", "subject-bob\u2215notes", "n\u014dtes", "*", "%", "' OR 1=1 --"),
)
TOKENS = (
    *[ISSUER.token(sub="ada")] * 9,
    *(STRANGER.token(sub="bob"), ISSUER.token(sub="bob", exp=5), ISSUER.token(sub="bob/notes/..")),
    *(ISSUER.token(sub="bob", stores=["another"]), ISSUER.token(sub="bob") + "A", "", "bob"),
    *(ISSUER.token(), ISSUER.token(sub="bob", aud="another.example")),
)


class Intruder:
    """Makes one request after another, each some mixture of what is allowed and what is not.

    Attributes:
        answered: how often somebody was let in, for each way without a socket.
    """

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._socket: SyncClient | None = None
        self.answered: Counter[str] = Counter()

    async def try_something(self) -> str:
        """Do one thing; returns all that came back."""
        way = self._random.choices(("ws", "http", "rpc"), (4, 1, 1))[0]
        return await (self._try_socket() if way == "ws" else self._try_request(way))

    async def hang_up(self) -> None:
        if self._socket is not None:
            await self._socket.hang_up()
            self._socket = None

    async def _try_request(self, way: str) -> str:
        store_id = self._random.choice(STORE_IDS)
        heard = await ask(way, store_id, self._message(way, store_id), **self._credential())
        self.answered[way] += heard.startswith("200 ")
        return heard

    async def _try_socket(self) -> str:
        if self._socket is None:
            self._socket = SyncClient(
                websocket_application, self._random.choice(STORE_IDS), **self._credential()
            )
            try:
                await self._socket.open()
            except RefusedError as refusal:
                await self.hang_up()
                return str(refusal)
        heard = await ask_socket(self._socket, self._message("ws", self._socket.store_id))
        if "closed with" in heard or self._random.random() < 0.05:
            await self.hang_up()
        return heard

    def _credential(self) -> dict[str, Any]:
        token = self._random.choice(TOKENS)
        if self._random.random() < 0.5:
            return {"payload": {"authToken": token}}
        return {"headers": {"authorization": f"Bearer {token}"}}

    def _message(self, way: str, own: str) -> dict[str, Any]:
        choose = self._random.choice
        first = choose((1, 1, 1, 3, 3, 5, 50))
        history = choose((None, None, None, "x" * 21, "", HIS))
        known = {"backendId": history, "eventSequenceNumber": choose((0, 1, 5, 2**53 - 1))}
        more = {"payload": {"authToken": choose(TOKENS)}} if self._random.random() < 0.1 else {}
        return request(
            way,
            choose(("Pull", "Push", "Ping", "AdminInfo")),
            own if self._random.random() < 0.7 else choose(STORE_IDS),
            batch=wire_events(make_events(2, after=first - 1, client_id="ada")),
            backendId=option(history),
            cursor=option(known if history is not None else None),
            **more,
        )


@pytest.fixture
async def intruder() -> AsyncIterator[Intruder]:
    intruder = Intruder()
    yield intruder
    await intruder.hang_up()


@pytest.mark.parametrize("vendor", ["sqlite"], indirect=True)
async def test_whatever_one_tenant_tries_the_other_is_as_before(
    store: Store,
    tune: Tune,
    connect: Connect,
    intruder: Intruder,
    figure: Figure,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tune(hooks="livesync.auth.tenants.TenantHooks", auth=("jwt",), **ISSUER.settings())
    his = Store(HIS)
    await his.push(make_events(3, name=MARK, args=f'"{MARK}"', client_id=MARK))
    backend_id = await his.backend_id()
    bob = await connect(NAME, payload={"authToken": ISSUER.token(sub="bob")})
    live = bob.pull(live=True)
    assert await bob.numbers(live, 3) == [1, 2, 3]

    outcomes = {"stored": 0, "read": 0, "refused": 0}
    for _ in range(figure(usually=1_500, drill=10_000)):
        heard = await intruder.try_something()
        assert MARK not in heard
        assert backend_id not in heard
        outcomes["stored"] += '"Success","value":{}' in heard
        outcomes["read"] += '"Chunk"' in heard
        outcomes["refused"] += "Invalid auth token" in heard

    # one who never got in would prove nothing
    assert min(outcomes.values()) > 5, outcomes
    assert min(intruder.answered["http"], intruder.answered["rpc"]) > 5, intruder.answered
    assert await his.numbers() == [1, 2, 3]
    assert await his.backend_id() == backend_id
    await his.push(make_events(1, after=3))
    assert await bob.numbers(live, 1) == [4]
    kept = await get_readers().run(lambda: list(stores.all_store_ids()))
    assert {name.partition("/")[0] for name in kept} == {"subject-ada", "subject-bob"}
    assert [name for name in kept if name.startswith("subject-bob/")] == [HIS]
    assert MARK not in caplog.text
    assert backend_id not in caplog.text
