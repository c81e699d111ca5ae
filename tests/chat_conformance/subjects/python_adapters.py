"""The adapters for Chat SDK in Python: in the process of the tests, and remote."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from typing import Any

import pytest
from chat_sdk.types import Lock as SdkLock
from chat_sdk.types import Message, QueueEntry

from chatstate.adapters import DjangoStateAdapter, RemoteStateAdapter
from chatstate.adapters.adapter import TransportStateAdapter
from tests.chat_conformance.subjects.databases import services_on
from tests.chat_conformance.subjects.sites import SitePlace
from tests.chat_conformance.subjects.subject import (
    CallFailedError,
    Entry,
    Lock,
    Place,
    Subject,
    given,
    options_of,
)

_CAPITAL = re.compile("[A-Z]")


class PythonSubject(Subject):
    """One adapter object of this process."""

    def __init__(self, adapter: TransportStateAdapter) -> None:
        self._adapter = adapter

    async def call(self, method: str, *arguments: Any) -> Any:
        function = getattr(self._adapter, _python_name(method))
        positional, options = _arguments(method, given(arguments))
        try:
            return _plain(await function(*positional, **options))
        except Exception as error:
            raise _call_failed(error) from error

    async def lock_through_extend(
        self, thread_id: str, ttl_ms: int, extend_ttl_ms: int
    ) -> tuple[Lock, Lock]:
        lock = await self._adapter.acquire_lock(thread_id, ttl_ms)
        assert lock is not None
        before = _plain(lock)
        await self._adapter.extend_lock(lock, extend_ttl_ms)
        return before, _plain(lock)

    async def set_spoil_get(self, key: str) -> Any:
        value: dict[str, list[Any]] = {"members": [1]}
        await self._adapter.set(key, value)
        value["members"].append("changed after set")
        got = await self._adapter.get(key)
        assert got is not None
        got["members"].append("changed after get")
        return await self._adapter.get(key)


class InProcessPlace(Place):
    """Adapters on whatever database the services of this process stand."""

    async def make(self, namespace: str, *, port: int | None = None) -> PythonSubject:
        return PythonSubject(DjangoStateAdapter(namespace))

    async def forget(self, subject: Subject) -> None:
        await subject.disconnect()


class RemotePlace(SitePlace):
    """Adapters of one site."""

    async def make(self, namespace: str, *, port: int | None = None) -> PythonSubject:
        return PythonSubject(RemoteStateAdapter(self.http_url(port), self.token_of(namespace)))

    async def forget(self, subject: Subject) -> None:
        await subject.disconnect()


def open_in_process(
    engine: str,
) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Place]]:
    """Adapters on a database of the engine: ``sqlite`` or ``postgresql``."""

    @asynccontextmanager
    async def open_place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
        async with services_on(engine, request):
            yield InProcessPlace()

    return open_place


@asynccontextmanager
async def open_remote(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Adapters of a site on PostgreSQL."""
    yield RemotePlace(request.getfixturevalue("tokens_postgresql"))


def _python_name(name: str) -> str:
    return _CAPITAL.sub(lambda letter: f"_{letter[0].lower()}", name)


def _arguments(method: str, arguments: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as Python's adapters take them: locks and entries as objects, named options."""
    match method, arguments:
        case "extendLock" | "releaseLock", [lock, *others]:
            return [_lock(lock), *others], {}
        case "enqueue", [thread_id, entry, *others]:
            return [thread_id, _entry(entry), *others], {}
        case "appendToList", [key, value, options]:
            return [key, value], {_python_name(name): o for name, o in options_of(options).items()}
    return arguments, {}


def _lock(lock: Mapping[str, Any]) -> SdkLock:
    return SdkLock(thread_id=lock["threadId"], token=lock["token"], expires_at=lock["expiresAt"])


def _entry(entry: Entry) -> QueueEntry:
    # one that was left out is None, whatever the type says
    enqueued_at: Any = entry.get("enqueuedAt")
    expires_at: Any = entry.get("expiresAt")
    message: Any = entry["message"]
    return QueueEntry(enqueued_at=enqueued_at, expires_at=expires_at, message=message)


def _plain(result: Any) -> Any:
    """A result as TypeScript's adapters give it."""
    if isinstance(result, SdkLock):
        lock = asdict(result)
        return {
            "threadId": lock.pop("thread_id"),
            "token": lock.pop("token"),
            "expiresAt": lock.pop("expires_at"),
            **lock,
        }
    if isinstance(result, QueueEntry):
        message = result.message
        return {
            "message": message.to_json() if isinstance(message, Message) else message,
            "enqueuedAt": result.enqueued_at,
            "expiresAt": result.expires_at,
        }
    return result


def _call_failed(error: Exception) -> CallFailedError:
    return CallFailedError(
        str(error),
        kind=type(error).__name__,
        code=getattr(error, "code", None),
        field=getattr(error, "field", None),
    )
