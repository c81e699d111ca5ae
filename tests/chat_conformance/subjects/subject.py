"""What the tests speak to: the 18 methods of a state adapter, whatever is behind them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, NamedTuple

import pytest


class Special(NamedTuple):
    """A value of JavaScript that JSON cannot hold."""

    kind: str
    value: Any = None


UNDEFINED = Special("undefined")
"""An argument that is left out; as a value, JavaScript's ``undefined``."""

Lock = dict[str, Any]
"""``threadId``, ``token`` and ``expiresAt``."""

Entry = dict[str, Any]
"""``message``, ``enqueuedAt`` and ``expiresAt``, both in milliseconds since 1970."""


class CallFailedError(Exception):
    """A method rejected.

    Attributes:
        kind: the name of the error's class.
        code: the protocol's error code, where the subject tells it.
        field: the argument that was refused, where the subject tells it.
    """

    def __init__(
        self, message: str, *, kind: str, code: str | None = None, field: str | None = None
    ) -> None:
        self.kind = kind
        self.code = code
        self.field = field
        super().__init__(message)


class Feature(Flag):
    """What not every subject has; a test that needs it is run against those that do."""

    CONNECTS = auto()
    """An adapter, with the rules of ``connect()`` and ``disconnect()``."""

    SHARED = auto()
    """Two of them with one namespace see one state."""

    OBJECTS = auto()
    """Hands out objects, which its caller may keep and change."""

    NUMBERS = auto()
    """Can be given NaN and Infinity where a number is expected."""

    JAVASCRIPT = auto()
    """Takes values of JavaScript."""

    TEXTS = auto()
    """Takes and gives values as JSON text."""

    LIMITS = auto()
    """Has the limits of this project."""

    PIPELINES = auto()
    """Sends a call without waiting for the answers to those before."""

    REACHES = auto()
    """Reaches a server over the network, and fails to connect where there is none."""


class Subject(ABC):
    """One client of one namespace."""

    @abstractmethod
    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the adapter by its name in TypeScript.

        Raises:
            CallFailedError: it rejected.
        """

    async def connect(self) -> None:
        await self.call("connect")

    async def disconnect(self) -> None:
        await self.call("disconnect")

    async def subscribe(self, thread_id: str) -> None:
        await self.call("subscribe", thread_id)

    async def unsubscribe(self, thread_id: str) -> None:
        await self.call("unsubscribe", thread_id)

    async def is_subscribed(self, thread_id: str) -> Any:
        return await self.call("isSubscribed", thread_id)

    async def acquire_lock(self, thread_id: str, ttl_ms: Any) -> Any:
        return await self.call("acquireLock", thread_id, ttl_ms)

    async def extend_lock(self, lock: Lock, ttl_ms: Any) -> Any:
        return await self.call("extendLock", lock, ttl_ms)

    async def release_lock(self, lock: Lock) -> None:
        await self.call("releaseLock", lock)

    async def force_release_lock(self, thread_id: str) -> None:
        await self.call("forceReleaseLock", thread_id)

    async def get(self, key: str) -> Any:
        return await self.call("get", key)

    async def set(self, key: str, value: Any, ttl_ms: Any = UNDEFINED) -> None:
        await self.call("set", key, value, ttl_ms)

    async def set_if_not_exists(self, key: str, value: Any, ttl_ms: Any = UNDEFINED) -> Any:
        return await self.call("setIfNotExists", key, value, ttl_ms)

    async def delete(self, key: str) -> None:
        await self.call("delete", key)

    async def append_to_list(
        self, key: str, value: Any, *, max_length: Any = UNDEFINED, ttl_ms: Any = UNDEFINED
    ) -> None:
        options = {"maxLength": max_length, "ttlMs": ttl_ms}
        given = {name: option for name, option in options.items() if option is not UNDEFINED}
        await self.call("appendToList", key, value, given or UNDEFINED)

    async def get_list(self, key: str) -> Any:
        return await self.call("getList", key)

    async def enqueue(self, thread_id: str, entry: Entry, max_size: Any) -> Any:
        return await self.call("enqueue", thread_id, entry, max_size)

    async def dequeue(self, thread_id: str) -> Any:
        return await self.call("dequeue", thread_id)

    async def queue_depth(self, thread_id: str) -> Any:
        return await self.call("queueDepth", thread_id)

    async def set_text(self, key: str, text: str) -> None:
        """``set`` with the JSON text of the value. Needs ``Feature.TEXTS``."""
        raise NotImplementedError  # asked only of subjects that have the feature

    async def get_text(self, key: str) -> str:
        """``get`` with the JSON text of the value. Needs ``Feature.TEXTS``."""
        raise NotImplementedError  # asked only of subjects that have the feature

    async def lock_through_extend(
        self, thread_id: str, ttl_ms: int, extend_ttl_ms: int
    ) -> tuple[Lock, Lock]:
        """A lock as it was handed out, and the same object after it was extended.

        Needs ``Feature.OBJECTS``.
        """
        raise NotImplementedError  # asked only of subjects that have the feature

    async def set_spoil_get(self, key: str) -> Any:
        """Set ``{"members": [1]}``; change it, get it, change what was got; get it again.

        Needs ``Feature.OBJECTS``.
        """
        raise NotImplementedError  # asked only of subjects that have the feature


class Place(ABC):
    """Where subjects of one kind come from, for as long as their tests run."""

    server_port: int = 0
    """Of the server that clients reach. Needs ``Feature.REACHES``."""

    @abstractmethod
    async def make(self, namespace: str, *, port: int | None = None) -> Subject:
        """A new client of ``namespace``, not connected.

        Args:
            port: where it looks for the server; None: where the server is.
        """

    @abstractmethod
    async def forget(self, subject: Subject) -> None:
        """Let go of a client that was made here, connected or not."""

    def new_namespace(self, wanted: str) -> str:
        """A namespace that nobody has used; ``wanted`` if any name will do."""
        return wanted


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way in.

    Attributes:
        open: enters the place; it is given what pytest knows of the session's fixtures.
    """

    name: str
    features: Feature
    open: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Place]]


def given(arguments: Sequence[Any]) -> list[Any]:
    """The arguments without those at the end that were left out."""
    last = next((n for n in range(len(arguments), 0, -1) if arguments[n - 1] is not UNDEFINED), 0)
    return list(arguments[:last])


def options_of(argument: Any) -> Mapping[str, Any]:
    """The options of a call; none if they were left out."""
    return {} if argument is UNDEFINED else dict(argument)
