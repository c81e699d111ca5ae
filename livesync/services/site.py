"""How the site's hooks are called.

A hook that a site has not overridden costs nothing: it is None here, and nobody waits for it. One
that is not ``async`` runs in a thread of its own kind, so that a slow one keeps no loop waiting.
Either is waited for as long as ``hook_timeout_s``, no longer.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec

from groundwork.by_hand import TimeUpError, within
from livesync import hooks
from livesync.conf import get_settings
from livesync.hooks import Context, Hooks
from livesync.protocol.errors import AuthUnavailableError, HookFailedError, RefusedError
from livesync.protocol.search_params import check_store_id
from livesync.services.hook_threads import HookThreads, ThreadsHeldError

logger = logging.getLogger(__name__)

Hook = Callable[..., Coroutine[Any, Any, Any]]

_REASON_MAX_LENGTH = 400


class Site(NamedTuple):
    """The hooks of a site, ready to be awaited; None for those that it has not overridden.

    They raise a RefusedError, which may be told, an AuthUnavailableError, which passes, or a
    HookFailedError, which has been logged.
    """

    validate_payload: Hook | None
    revalidate: Hook | None
    stored_store_id: Hook | None
    forward_headers: Hook | None
    may_pull: Hook | None
    may_push: Hook | None
    on_push: Hook | None
    on_push_response: Hook | None
    on_pull: Hook | None
    on_pull_response: Hook | None


def get_site() -> Site:
    """The site's hooks as they are to be called."""
    return _resolve(get_settings().hooks)


async def admit(context: Context) -> Context:
    """Let the site decide whether who asks may sync the store.

    Args:
        context: the request as it came, with all of its headers.

    Returns:
        The context for all that follows on this connection; it names the stored store.

    Raises:
        RefusedError: the site refuses; the text is for the client.
        AuthUnavailableError: it cannot be found out now.
        HookFailedError: a hook is broken; it has been logged.
    """
    if context.transport not in get_settings().enabled_transports:
        raise RefusedError(f"the transport {context.transport} is not enabled")
    site = get_site()
    context = _with_schema(context, hooks.get_hooks().payload_schema)
    if site.validate_payload is not None:
        given = await site.validate_payload(context.payload, context)
        context = context if given is None else _checked(given, context, "validate_payload")
    return replace(
        context,
        stored_store_id=await _stored_store_id(site, context),
        headers=await _forwarded_headers(site, context.headers),
    )


async def readmit(context: Context) -> Context:
    """Let the site decide whether who was admitted may go on.

    Returns:
        The context for what follows.

    Raises:
        RefusedError: no longer.
        AuthUnavailableError: it cannot be found out now.
        HookFailedError: a hook is broken; it has been logged.
    """
    revalidate = get_site().revalidate
    given = None if revalidate is None else await revalidate(context)
    if given is None:
        return context
    checked = _checked(given, context, "revalidate")
    return replace(checked, stored_store_id=context.stored_store_id)


@lru_cache(maxsize=8)
def _resolve(path: str) -> Site:
    site_hooks = hooks.get_hooks()  # which is at ``path``
    found = {name: _awaitable(site_hooks, name) for name in Site._fields}
    return Site(**{name: _decided(name, hook) for name, hook in found.items()})


def _awaitable(site_hooks: Hooks, name: str) -> Hook | None:
    if getattr(type(site_hooks), name) is getattr(Hooks, name):
        return None
    hook = getattr(site_hooks, name)
    if not inspect.iscoroutinefunction(hook):
        hook = _in_a_thread(name, hook)

    async def call(*args: Any) -> Any:
        try:
            return await within(get_settings().hook_timeout_s, hook(*args))
        except (RefusedError, AuthUnavailableError):
            raise
        except (ThreadsHeldError, TimeUpError) as error:
            raise _broken(name, str(error)) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is the caller who is cancelled
            raise _failed(name, error) from error
        except (GeneratorExit, KeyboardInterrupt):
            raise  # of whoever ends this coroutine, or the process
        except BaseException as error:
            # also those of libraries in other languages, such as the panics of PyO3
            raise _failed(name, error) from error

    return call


def _decided(name: str, hook: Hook | None) -> Hook | None:
    """``hook``; one that is asked for a permission has to give True or False."""
    if hook is None or not name.startswith("may_"):
        return hook

    async def call(context: Context) -> bool:
        is_allowed = await hook(context)
        if not isinstance(is_allowed, bool):
            raise _broken(name, "gave neither True nor False")
        return is_allowed

    return call


def _in_a_thread(name: str, hook: Callable[..., Any]) -> Hook:
    async def call(*args: Any) -> Any:
        given = await _threads().run(name, hook, *args, max_s=get_settings().hook_timeout_s)
        # a decorator may hide that a hook is async; what it says must not be lost
        return await given if inspect.isawaitable(given) else given

    return call


@cache
def _threads() -> HookThreads:
    return HookThreads(get_settings().hook_threads)


def _with_schema(context: Context, schema: Any) -> Context:
    if schema is None:
        return context
    try:
        return replace(context, payload=msgspec.convert(context.payload, schema))
    except msgspec.ValidationError as error:
        # it may repeat what the client sent
        reason = str(error)[:_REASON_MAX_LENGTH].encode("ascii", "backslashreplace").decode()
        raise RefusedError(f"the payload does not fit: {reason}") from error
    except Exception as error:
        raise _failed("payload_schema", error) from error


async def _stored_store_id(site: Site, context: Context) -> str:
    if site.stored_store_id is None:
        return context.store_id
    stored = await site.stored_store_id(context.store_id, context)
    if not isinstance(stored, str):
        raise _broken("stored_store_id", "gave no text")
    try:
        check_store_id(stored, max_bytes=get_settings().store_id_max_bytes)
    except ValueError as error:
        raise RefusedError(f"the stored store id is {error}") from error
    return stored


async def _forwarded_headers(site: Site, headers: Mapping[str, str]) -> Mapping[str, str]:
    if site.forward_headers is None:
        names = (name.lower() for name in get_settings().forward_headers)
        return {name: headers[name] for name in names if name in headers}
    picked = await site.forward_headers(headers)
    if not isinstance(picked, Mapping):
        raise _broken("forward_headers", "gave no mapping")
    return {name.lower(): value for name, value in picked.items()}


def _broken(name: str, what: str) -> HookFailedError:
    logger.error("a hook of the site failed: %s %s", name, what)
    return HookFailedError(hook=name)


def _failed(name: str, error: BaseException) -> HookFailedError:
    logger.error("a hook of the site failed: %s", name, exc_info=error)
    return HookFailedError(hook=name)


def _checked(given: Any, context: Context, hook: str) -> Context:
    fixed = (context.store_id, context.transport)
    if isinstance(given, Context) and (given.store_id, given.transport) == fixed:
        return given
    raise _broken(hook, "gave neither None nor a context of the same store")
