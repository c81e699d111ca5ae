"""The protocol over HTTP, one operation in a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from msgspec import UNSET, Raw, UnsetType

from groundwork.strict_json import read
from tests.chat_conformance.subjects.operations import DEADLINE_S, Members, OperationSubject, write
from tests.chat_conformance.subjects.sites import SitePlace
from tests.chat_conformance.subjects.subject import CallFailedError, Place, Subject

BASE = "/api/chat/v1"


class _Error(msgspec.Struct):
    code: str
    message: str
    field: str | UnsetType = UNSET


class _Answer(msgspec.Struct):
    value: Raw | UnsetType = UNSET
    items: Raw | UnsetType = UNSET
    error: _Error | UnsetType = UNSET


_answer = msgspec.json.Decoder(_Answer)


class HttpSubject(OperationSubject):
    """A script with the token of one namespace.

    It waits for each answer before it asks again: nothing else gives requests an order.
    """

    def __init__(self, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._client = httpx.AsyncClient(
            base_url=f"{url}{BASE}",
            headers=headers,
            timeout=DEADLINE_S,
            trust_env=False,
            verify=False,  # there is nothing to verify, and reading all authorities takes long
        )
        self._turn = asyncio.Lock()

    async def connect(self) -> None:
        """Nothing to do: every request says who we are."""

    async def disconnect(self) -> None:
        """Close the connections that are kept for later requests."""
        await self._client.aclose()

    async def ask(self, op: str, members: Members) -> str:
        async with self._turn:
            response = await self._client.post(f"/{op}", content=write(members).encode())
        answer = read(response.text, _answer)
        if answer.error is not UNSET:
            assert response.is_error or answer.items is not UNSET
            field = None if answer.error.field is UNSET else answer.error.field
            raise CallFailedError(
                answer.error.message, kind="error", code=answer.error.code, field=field
            )
        assert response.status_code == httpx.codes.OK
        told = answer.items if op == "getList" else answer.value
        assert told is not UNSET
        return str(told, "utf-8")


class HttpPlace(SitePlace):
    """Scripts of one site."""

    async def make(self, namespace: str, *, port: int | None = None) -> HttpSubject:
        return HttpSubject(self.http_url(port), self.token_of(namespace))

    async def forget(self, subject: Subject) -> None:
        await subject.disconnect()


@asynccontextmanager
async def open_http(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Scripts of a site on PostgreSQL."""
    yield HttpPlace(request.getfixturevalue("tokens_postgresql"))
