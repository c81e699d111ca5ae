"""Which shard keeps what, and which databases keep the shards.

The ready-made functions are for ``CHATSTATE["shard_key"]`` and ``CHATSTATE["key_shard"]``. Each
gives the name of a shard; a name that the settings do not have stands for ``default``. Thread ids
are ``platform:channel:thread``, as Chat SDK's platform adapters write them.

A function must give the same name for ever: changing it leaves behind what is stored.
"""

import logging
from collections.abc import Callable, Iterable
from functools import cache

from django.utils.module_loading import import_string

from chatstate.conf import get_settings
from chatstate.protocol.errors import InternalError, UnknownShardError
from chatstate.protocol.operations import OnKey, Operation

logger = logging.getLogger(__name__)

DEFAULT = "default"
_ONE_SHARD = "chatstate.sharding.one_shard"

# Chat SDK's keys that end in a thread or channel id; its dedupe keys and locks of callbacks do not
_OF_THREADS = ("thread-state:", "channel-state:", "msg-history:", "active-turn:", "abort-turn:")


def one_shard(place: str) -> str:
    """Everything on the shard ``default``."""
    return DEFAULT


def by_platform(thread_id: str) -> str:
    """``slack:C1:1.2`` on the shard ``slack``."""
    return _known(thread_id.partition(":")[0])


def by_channel(thread_id: str) -> str:
    """``slack:C1:1.2`` on the shard ``slack:C1``; without one of that name, on ``slack``."""
    channel = ":".join(thread_id.split(":")[:2])
    return channel if channel in get_settings().shards else by_platform(thread_id)


def by_thread_prefix(key: str) -> str:
    """What belongs to a thread on the shard of the thread, everything else on ``default``.

    ``thread-state:slack:C1:1.2`` is where ``shard_key`` puts ``slack:C1:1.2``.
    """
    for prefix in _OF_THREADS:
        if key.startswith(prefix):
            return _function(get_settings().shard_key)(key.removeprefix(prefix))
    return DEFAULT


def shard_of(operation: Operation) -> str:
    """The shard that an operation belongs to: the one it names, or the one the site's hooks give.

    Raises:
        UnknownShardError: the settings have no such shard.
        InternalError: the hook failed.
    """
    shard = operation.shard
    if shard is None:
        shard = _ask_hook(operation)
    if shard not in get_settings().shards:
        raise UnknownShardError(shard)
    return shard


def common_shard(operations: Iterable[Operation]) -> str | None:
    """The shard of all operations, where it can be told without a hook; None: ask for each."""
    settings = get_settings()
    if settings.shard_key != _ONE_SHARD or settings.key_shard != _ONE_SHARD:
        return None
    return DEFAULT if {operation.shard for operation in operations} == {None} else None


def default_alias() -> str:
    """The database of the default shard, which keeps tokens and what is noted of clean-ups, too."""
    return get_settings().shards[DEFAULT]


def database_aliases() -> list[str]:
    """Every database that keeps a shard, in the same order each time."""
    return sorted(set(get_settings().shards.values()))


def _ask_hook(operation: Operation) -> str:
    settings = get_settings()
    path = settings.key_shard if isinstance(operation, OnKey) else settings.shard_key
    try:
        shard = _function(path)(operation.place)
        if not isinstance(shard, str):
            raise TypeError(f"it gave {type(shard).__name__}, not a string")
    except Exception as error:  # a hook of the site may raise anything, for some keys alone
        logger.exception("%s failed", path)
        raise InternalError from error
    return shard


@cache
def _function(path: str) -> Callable[[str], str]:
    function: Callable[[str], str] = import_string(path)
    return function


def _known(name: str) -> str:
    return name if name in get_settings().shards else DEFAULT
