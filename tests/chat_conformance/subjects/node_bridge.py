"""Adapters of npm, in one Node process for each kind. The other side is ``chat_state.mjs``."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.chat_conformance.subjects.sites import SitePlace, Tokens
from tests.chat_conformance.subjects.subject import (
    CallFailedError,
    Lock,
    Place,
    Special,
    Subject,
    given,
)
from tests.e2e.node_clients import NodeClientError, NodeProcess
from tests.e2e.node_clients.own_packages import ensure_own_packages
from tests.site_process import SiteProcess

SCRIPT = "chat_state.mjs"

_numbers = itertools.count(1)


class NodeSubject(Subject):
    """One adapter object in a Node process."""

    def __init__(self, process: NodeProcess, name: str) -> None:
        self.name = name
        self._process = process

    async def call(self, method: str, *arguments: Any) -> Any:
        args = [encode(argument) for argument in given(arguments)]
        return await self._command("call", method=method, args=args)

    async def lock_through_extend(
        self, thread_id: str, ttl_ms: int, extend_ttl_ms: int
    ) -> tuple[Lock, Lock]:
        before, after = await self._command(
            "lockThroughExtend", threadId=thread_id, ttlMs=ttl_ms, extendTtlMs=extend_ttl_ms
        )
        return before, after

    async def set_spoil_get(self, key: str) -> Any:
        return await self._command("setSpoilGet", key=key)

    async def _command(self, op: str, **arguments: Any) -> Any:
        try:
            return decode(await self._process.call(op, name=self.name, **arguments))
        except NodeClientError as error:
            raise _call_failed(error) from error


class NodePlace(Place):
    """A Node process that makes adapters of one package.

    Args:
        process: runs ``chat_state.mjs``.
        package: name of the npm package.
        options: of an adapter for a namespace.
    """

    def __init__(
        self, process: NodeProcess, package: str, options: Callable[[str], Mapping[str, Any]]
    ) -> None:
        self._process = process
        self._package = package
        self._options = options

    async def make(self, namespace: str, *, port: int | None = None) -> NodeSubject:
        return await _make(self._process, self._package, self._options(namespace))

    async def forget(self, subject: Subject) -> None:
        await _forget(self._process, subject)


class DjangoPlace(SitePlace):
    """A Node process that makes our own adapters.

    Args:
        process: runs ``chat_state.mjs``.
        tokens: of the site.
        second: a server on the site's database; adapters then use the two in turn.
    """

    def __init__(
        self, process: NodeProcess, tokens: Tokens, second: SiteProcess | None = None
    ) -> None:
        super().__init__(tokens, second)
        self._process = process

    async def make(self, namespace: str, *, port: int | None = None) -> NodeSubject:
        options = {"url": self.http_url(port), "token": self.token_of(namespace)}
        return await _make(self._process, "chat-state-django", options)

    async def forget(self, subject: Subject) -> None:
        await _forget(self._process, subject)


@asynccontextmanager
async def open_memory(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """``@chat-adapter/state-memory``; the namespace of an adapter is the object itself."""
    async with NodeProcess(SCRIPT) as process:
        yield NodePlace(process, "@chat-adapter/state-memory", lambda namespace: {})


@asynccontextmanager
async def open_redis(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """``@chat-adapter/state-redis`` on a Valkey of its own."""
    url = request.getfixturevalue("conformance_valkey").url
    async with NodeProcess(SCRIPT) as process:
        yield NodePlace(
            process,
            "@chat-adapter/state-redis",
            lambda namespace: {"url": url, "keyPrefix": namespace},
        )


@asynccontextmanager
async def open_django(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Our own adapter, ``chat-state-django``, with two servers on one SQLite, in turn."""
    await asyncio.to_thread(ensure_own_packages)
    tokens = request.getfixturevalue("tokens_sqlite")
    second = request.getfixturevalue("conformance_second_site_sqlite")
    async with NodeProcess(SCRIPT) as process:
        yield DjangoPlace(process, tokens, second)


def encode(value: Any) -> Any:
    """A value as ``chat_values.mjs`` reads it."""
    if isinstance(value, Special):
        member = {} if value.value is None else {"value": value.value}
        return {"$": value.kind, **member}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "number", "value": _javascript_name(value)}
    if isinstance(value, dict):
        encoded = {key: encode(member) for key, member in value.items()}
        return {"$": "object", "entries": list(encoded.items())} if "$" in value else encoded
    return [encode(item) for item in value] if isinstance(value, list) else value


def decode(value: Any) -> Any:
    """A value as ``chat_values.mjs`` wrote it."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case None:
            return {key: decode(member) for key, member in value.items()}
        case "object":
            return {key: decode(member) for key, member in value["entries"]}
        case "number":
            return float(value["value"].replace("Infinity", "inf"))
        case kind:
            return Special(kind, value.get("value"))


async def _make(process: NodeProcess, package: str, options: Mapping[str, Any]) -> NodeSubject:
    name = f"adapter {next(_numbers)}"
    await process.call("make", name=name, package=package, options=dict(options))
    return NodeSubject(process, name)


async def _forget(process: NodeProcess, subject: Subject) -> None:
    assert isinstance(subject, NodeSubject)
    await process.call("forget", name=subject.name)


def _javascript_name(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _call_failed(error: NodeClientError) -> CallFailedError:
    return CallFailedError(
        error.fields.get("message", ""),
        kind=error.tag,
        code=error.fields.get("code"),
        field=error.fields.get("field"),
    )
