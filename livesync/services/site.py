"""How the site's hooks are called.

A hook that a site has not overridden costs nothing: it is None here, and nobody waits for it. One
that is not ``async`` runs in a thread of its own kind, so that a slow one keeps no loop waiting.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

from channels.db import database_sync_to_async

from livesync import hooks
from livesync.conf import get_settings
from livesync.hooks import Context, Hooks
from livesync.protocol.errors import HookFailedError, RefusedError
from livesync.protocol.search_params import check_store_id

logger = logging.getLogger(__name__)

Hook = Callable[..., Awaitable[Any]]


class Site(NamedTuple):
    """The hooks of a site, ready to be awaited; None for those that it has not overridden.

    They raise a RefusedError, which may be told, or a HookFailedError, which has been logged.
    """

    validate_payload: Hook | None
    stored_store_id: Hook | None
    may_pull: Hook | None
    may_push: Hook | None


def get_site() -> Site:
    """The site's hooks as they are to be called."""
    return _resolve(hooks.get_hooks())


async def admit(context: Context) -> Context:
    """Let the site decide whether who asks may sync the store.

    Args:
        context: the request as it came, with all of its headers.

    Returns:
        The context for all that follows on this connection; it names the stored store.

    Raises:
        RefusedError: the site refuses; the text is for the client.
        HookFailedError: a hook is broken; it has been logged.
    """
    site = get_site()
    if site.validate_payload is not None:
        given = await site.validate_payload(context.payload, context)
        context = context if given is None else _checked(given, context)
    stored_store_id = context.store_id
    if site.stored_store_id is not None:
        stored_store_id = await site.stored_store_id(context.store_id, context)
        _check_stored(stored_store_id)
    return replace(context, stored_store_id=stored_store_id)


@lru_cache(maxsize=8)
def _resolve(site_hooks: Hooks) -> Site:
    return Site(*(_awaitable(site_hooks, name) for name in Site._fields))


def _awaitable(site_hooks: Hooks, name: str) -> Hook | None:
    if getattr(type(site_hooks), name) is getattr(Hooks, name):
        return None
    hook = getattr(site_hooks, name)
    if not inspect.iscoroutinefunction(hook):
        hook = _in_a_thread(hook)

    async def call(*args: Any) -> Any:
        try:
            return await hook(*args)
        except RefusedError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is the caller who is cancelled
            raise _failed(name, error) from error
        except (Exception, SystemExit) as error:
            raise _failed(name, error) from error

    return call


def _in_a_thread(hook: Callable[..., Any]) -> Hook:
    def run(*args: Any) -> Any:
        try:
            return hook(*args)
        except (StopIteration, SystemExit) as error:
            # no future takes the first, and the second would end the thread or the process
            raise RuntimeError(f"raised {type(error).__name__}") from error

    async def call(*args: Any) -> Any:
        in_thread = database_sync_to_async(run, thread_sensitive=False, executor=_threads())
        return await in_thread(*args)

    return call


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(get_settings().hook_threads, thread_name_prefix="livesync-hook")


def _failed(name: str, error: BaseException) -> HookFailedError:
    logger.error("a hook of the site failed: %s", name, exc_info=error)
    return HookFailedError(hook=name)


def _checked(given: Any, context: Context) -> Context:
    fixed = (context.store_id, context.transport)
    if isinstance(given, Context) and (given.store_id, given.transport) == fixed:
        return given
    logger.error("validate_payload gave neither None nor a context of the same store")
    raise HookFailedError(hook="validate_payload")


def _check_stored(store_id: Any) -> None:
    if not isinstance(store_id, str):
        logger.error("stored_store_id gave no text")
        raise HookFailedError(hook="stored_store_id")
    try:
        check_store_id(store_id, max_bytes=get_settings().store_id_max_bytes)
    except ValueError as error:
        raise RefusedError(f"the stored store id is {error}") from error
