"""Carry out operations: each on its shard, what arrives together in one commit."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from operator import attrgetter

from chatstate import metrics
from chatstate.conf import get_settings
from chatstate.protocol.errors import (
    BusyError,
    ChatstateError,
    InternalError,
    KeyHeldError,
    UnavailableError,
)
from chatstate.protocol.operations import Limits, Operation
from chatstate.sharding import common_shard, database_aliases, shard_of
from chatstate.storage.database import ShardDatabase
from chatstate.storage.jobs import Done, Job, Result
from groundwork.connections import resolve
from groundwork.writer import Writer

# of an operation while it waits, besides its texts; keeps a transaction to some thousand of them
_OVERHEAD_BYTES = 512
_MAX_GROUP_BYTES = 1024 * 1024

Callback = Callable[[Sequence[Result]], None]


async def execute(namespace: str, operations: Sequence[Operation]) -> Sequence[Result]:
    """``start``, and wait for the results. A caller that goes away changes nothing."""
    future: asyncio.Future[Sequence[Result]] = asyncio.get_running_loop().create_future()
    start(namespace, operations, partial(resolve, future))
    return await future


def start(
    namespace: str,
    operations: Sequence[Operation],
    callback: Callback,
    *,
    is_new: bool = False,
) -> None:
    """Carry out operations of one namespace; to be called on an event loop.

    Those on one shard take effect in their order, by one commit; what is handed in later takes
    effect later. When everything is stored, ``callback`` is called on the loop with what became of
    each operation: the JSON of its answer, a piece of a list, or the error to tell. Where nothing
    is under way, short reads are done, and ``callback`` called, before this returns.

    With ``is_new`` no kept answers are looked for: nobody has used their request ids before.
    """
    shard = common_shard(operations)
    if shard is None or not _are_sound(operations):
        _start_apart(namespace, operations, callback, is_new)
        return
    answers = _read_at_once(namespace, shard, operations)
    if answers is not None:
        callback(answers)
        return
    take = partial(_take_all, callback, len(operations))
    _hand_in(Job(namespace, shard, operations, is_new), take)


def _read_at_once(
    namespace: str, shard: str, operations: Sequence[Operation]
) -> Sequence[Result] | None:
    alias = get_settings().shards[shard]
    if get_writer(alias).pending_bytes:
        return None  # what the caller handed in before may be among it, and has to be seen
    answers = get_database(alias).read_at_once(namespace, operations)
    if answers is not None:
        metrics.OPERATIONS.inc(len(answers))
    return answers


def _are_sound(operations: Sequence[Operation]) -> bool:
    limits = get_limits()
    try:
        for operation in operations:
            operation.check(limits)
    except ChatstateError:
        return False
    return True


def _start_apart(
    namespace: str, operations: Sequence[Operation], callback: Callback, is_new: bool
) -> None:
    by_shard: defaultdict[str, list[int]] = defaultdict(list)
    results: list[Result] = [_NOT_DONE] * len(operations)
    limits = get_limits()
    for number, operation in enumerate(operations):
        try:
            operation.check(limits)
            by_shard[shard_of(operation)].append(number)
        except ChatstateError as error:
            results[number] = error
    if not by_shard:
        asyncio.get_running_loop().call_soon(callback, results)
        return
    waiting = _Waiting(results, len(by_shard), callback)
    for shard, numbers in by_shard.items():
        chosen = [operations[number] for number in numbers]
        _hand_in(Job(namespace, shard, chosen, is_new), partial(waiting.take, numbers))


def _hand_in(job: Job, callback: Callable[[Done | Exception], None]) -> None:
    get_writer(get_settings().shards[job.shard]).hand_in(job, callback)


@cache
def get_writer(alias: str) -> Writer[Job, Done]:
    """The writer of this process for the database behind ``alias``."""
    return Writer(
        partial(_commit, get_database(alias)),
        announce=lambda _: None,
        # what is held waits, and other keys of its namespace go on; in the end it fails together
        key=attrgetter("namespace"),
        again=(KeyHeldError,),
        final=(UnavailableError,),
        name=f"chatstate-writer-{alias}",
        size=_memory_bytes,
        max_group_bytes=_MAX_GROUP_BYTES,
        max_pending_bytes=get_settings().pending_max_bytes,
        overload=BusyError,
    )


@cache
def get_database(alias: str) -> ShardDatabase:
    """The database behind ``alias``."""
    return ShardDatabase(alias)


@cache
def get_limits() -> Limits:
    """What an operation may hold."""
    settings = get_settings()
    return Limits(settings.key_max_bytes, settings.value_max_bytes, settings.value_max_depth)


def stop() -> None:
    """End the writers of this process; the next operation starts them again."""
    for alias in database_aliases():
        get_writer(alias).stop()
        get_database(alias).close()
    get_writer.cache_clear()
    get_database.cache_clear()
    get_limits.cache_clear()


def _commit(database: ShardDatabase, jobs: Sequence[Job]) -> Sequence[Done | KeyHeldError]:
    started_at = time.perf_counter()
    try:
        done = database.commit(jobs)
    except Exception:
        metrics.COMMIT_FAULTS.inc()
        raise
    metrics.COMMIT_DURATION.observe(time.perf_counter() - started_at)
    _count([each for each in done if isinstance(each, Done)])
    return done


def _count(done: Sequence[Done]) -> None:
    metrics.OPERATIONS.inc(sum(len(each.results) for each in done))
    refused = sum(isinstance(result, ChatstateError) for each in done for result in each.results)
    if refused:
        metrics.REFUSED.inc(refused)


_NOT_DONE = InternalError()


class _Waiting:
    """Operations on several shards, until the last of them is done."""

    __slots__ = ("_callback", "_missing", "_results")

    def __init__(self, results: list[Result], missing: int, callback: Callback) -> None:
        self._results = results
        self._missing = missing
        self._callback = callback

    def take(self, numbers: Sequence[int], outcome: Done | Exception) -> None:
        for number, result in zip(numbers, _results(outcome, len(numbers)), strict=True):
            self._results[number] = result
        self._missing -= 1
        if not self._missing:
            self._callback(self._results)


def _take_all(callback: Callback, count: int, outcome: Done | Exception) -> None:
    callback(_results(outcome, count))


def _results(outcome: Done | Exception, count: int) -> Sequence[Result]:
    if isinstance(outcome, Done):
        return outcome.results
    # the writer has logged what is not ours
    return [outcome if isinstance(outcome, ChatstateError) else InternalError()] * count


def _memory_bytes(job: Job) -> int:
    payloads = [each.payload for each in job.operations]
    texts = sum(len(memoryview(each)) for each in payloads if each is not None)
    return texts + _OVERHEAD_BYTES * len(payloads)
