"""The methods of an adapter as operations of the protocol. Source: ``docs/chat-protocol.md``."""

import asyncio
import json
import re
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.chat_conformance.subjects.subject import UNDEFINED, Entry, Lock, Subject, options_of

DEADLINE_S = 30.0
"""How long any one call may take; only one that hangs uses it up."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Json(NamedTuple):
    """A member whose JSON is written as it is."""

    text: str


Members = Mapping[str, Any]
"""The members of an operation; of type ``Json`` where a value of the bot stands."""


class OperationSubject(Subject):
    """A client that is no adapter: it sends one operation for each call."""

    @abstractmethod
    async def ask(self, op: str, members: Members) -> str:
        """Carry out one operation.

        Returns:
            The JSON of its answer, as it came; of a list the JSON of all of it.

        Raises:
            CallFailedError: it was refused.
        """

    async def call(self, method: str, *arguments: Any) -> Any:
        given = _MEMBERS[method](*arguments)
        members = {name: value for name, value in given.items() if value is not UNDEFINED}
        sent_ms = _now_ms()
        async with asyncio.timeout(DEADLINE_S):
            answer = json.loads(await self.ask(method, members))
        return _read(method, arguments, answer, sent_ms)

    async def set_text(self, key: str, text: str) -> None:
        await self.ask("set", {"key": key, "value": Json(text)})

    async def get_text(self, key: str) -> str:
        return await self.ask("get", {"key": key})


def write(members: Mapping[str, Any]) -> str:
    """The JSON object of some members."""
    pairs = (
        f"{json.dumps(name)}:{value.text if isinstance(value, Json) else json.dumps(value)}"
        for name, value in members.items()
    )
    return f"{{{','.join(pairs)}}}"


def request_id() -> str:
    """One that nobody has used."""
    return uuid.uuid4().hex


def _json(value: Any) -> Json:
    """The JSON of a value as JavaScript writes it: nothing but lone surrogates is escaped."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return Json(_SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", text))


def _on_thread(thread_id: str) -> Members:
    return {"threadId": thread_id}


def _acquire(thread_id: str, ttl_ms: Any) -> Members:
    return {"threadId": thread_id, "ttlMs": ttl_ms, "requestId": request_id()}


def _extend(lock: Lock, ttl_ms: Any) -> Members:
    return {"threadId": lock["threadId"], "token": lock["token"], "ttlMs": ttl_ms}


def _release(lock: Lock) -> Members:
    return {"threadId": lock["threadId"], "token": lock["token"]}


def _on_key(key: str) -> Members:
    return {"key": key}


def _set(key: str, value: Any, ttl_ms: Any = UNDEFINED) -> Members:
    return {"key": key, "value": _json(value), "ttlMs": ttl_ms}


def _set_if_not_exists(key: str, value: Any, ttl_ms: Any = UNDEFINED) -> Members:
    return {**_set(key, value, ttl_ms), "requestId": request_id()}


def _append(key: str, value: Any, options: Any = UNDEFINED) -> Members:
    named = {"key": key, "value": _json(value), "requestId": request_id()}
    return {**named, **options_of(options)}


def _enqueue(thread_id: str, entry: Entry, max_size: Any) -> Members:
    return {
        "threadId": thread_id,
        "message": _json(entry["message"]),
        "enqueuedAt": entry.get("enqueuedAt", UNDEFINED),
        "expiresAt": entry.get("expiresAt", UNDEFINED),
        "sentAt": _now_ms(),
        "maxSize": max_size,
        "requestId": request_id(),
    }


def _dequeue(thread_id: str) -> Members:
    return {"threadId": thread_id, "requestId": request_id()}


_MEMBERS: dict[str, Callable[..., Members]] = {
    "subscribe": _on_thread,
    "unsubscribe": _on_thread,
    "isSubscribed": _on_thread,
    "acquireLock": _acquire,
    "extendLock": _extend,
    "releaseLock": _release,
    "forceReleaseLock": _on_thread,
    "get": _on_key,
    "set": _set,
    "setIfNotExists": _set_if_not_exists,
    "delete": _on_key,
    "appendToList": _append,
    "getList": _on_key,
    "enqueue": _enqueue,
    "dequeue": _dequeue,
    "queueDepth": _on_thread,
}


def _read(method: str, arguments: tuple[Any, ...], answer: Any, sent_ms: int) -> Any:
    """What an adapter makes of an answer."""
    match method:
        case "acquireLock" if answer is not None:
            assert answer.keys() == {"token", "fence", "ttlMs"}
            expires_at = sent_ms + answer["ttlMs"]
            return {"threadId": arguments[0], "token": answer["token"], "expiresAt": expires_at}
        case "releaseLock":
            assert answer.keys() == {"released", "stranded"}
            return None
        case "enqueue":
            assert answer.keys() == {"depth", "stranded"}
            return answer["depth"]
        case "dequeue" if answer is not None:
            assert answer.keys() == {"message", "enqueuedAt", "expiresAt", "ttlMs"}
            assert answer["ttlMs"] > 0
            return {name: answer[name] for name in ("message", "enqueuedAt", "expiresAt")}
    return answer


def _now_ms() -> int:
    return int(time.time() * 1_000)
