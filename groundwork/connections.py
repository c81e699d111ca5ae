"""Database connections owned by threads: open, check, close.

Django closes its connections on request signals, which threads outside of requests never get. A
thread that reads or writes for us owns one connection per alias from its first use until it ends,
and drops it after any fault, so that no poisoned connection is used again.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar
from weakref import ref

from asgiref.sync import AsyncToSync
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")

logger = logging.getLogger(__name__)


class DatabaseUnavailableError(Exception):
    """The database did not answer, and nothing was changed; the same work may succeed later."""


class RowLockedError(DatabaseUnavailableError):
    """Somebody held a row for longer than the lock timeout; other rows are not concerned."""


class InsideTransactionError(RuntimeError):
    """Code that holds a transaction has called what writes in a transaction of its own."""

    def __init__(self, *, alias: str) -> None:
        self.alias = alias
        super().__init__(
            f"called inside atomic() on the database {alias!r}: what is written here is committed "
            "by another connection. It could not see what the transaction has written, would not "
            "be undone with it, and may have to wait for it to end. Call it behind the block, or "
            f"from transaction.on_commit(..., using={alias!r})"
        )


_LOCK_TIMEOUT = "55P03"  # PostgreSQL: lock_not_available
_RETRIED_STATES = ("40001", "40P01")  # serialization failure, deadlock
_IDLE_TIMEOUT = "25P03"  # idle_in_transaction_session_timeout: the session is over
# connection exceptions; shut down by the administrator, crashed; the one above
_SESSION_OVER = ("08", "57P", _IDLE_TIMEOUT)
_MAX_TRIES = 3
_CALLER_ANSWERS_WITHIN_S = 0.2
# the task for which no thread waits: that stays so, and asking takes a sixth of an adapter's call.
# Not for the tasks that inherit its context: one of them may be what a thread waits for
_without_caller: ContextVar["ref[asyncio.Task[Any]] | None"] = ContextVar(
    "without_caller", default=None
)


def with_connection(alias: str, work: Callable[[BaseDatabaseWrapper], T]) -> T:
    """Run ``work`` with this thread's connection to ``alias``, open and usable.

    ``work`` may run up to three times: after a deadlock, and when a connection from before turns
    out to be dead. It must leave nothing behind when it fails, and must not raise a plain database
    error once it has asked for a COMMIT.

    Raises:
        RowLockedError: a lock was not granted in time.
        DatabaseUnavailableError: any other operational fault, or ``work`` said so itself; after the
            connection was closed.
    """
    connection = connections[alias]
    for last_try in (False,) * (_MAX_TRIES - 1) + (True,):
        was_open = connection.connection is not None
        try:
            connection.ensure_connection()
            with connection.wrap_database_errors:
                return work(connection)
        except DatabaseUnavailableError:
            close_quietly(connection)
            raise
        except (DatabaseError, InterfaceError) as error:
            # whatever state the driver is in now, the next piece of work starts on a fresh one
            close_quietly(connection)
            if not _is_operational(error):
                raise
            if last_try or not _may_succeed_at_once(error, was_open=was_open):
                raise _unavailable(error) from error
    raise AssertionError("the last try returns or raises")


def refuse_inside_atomic(alias: str) -> None:
    """Refuse a caller that holds a transaction on ``alias``; for services that write in threads.

    On an event loop that is the thread of the loop, which began it before it ran the loop, or the
    one that waits in ``async_to_sync`` for what the loop does: coroutines cannot open transactions
    themselves.

    Raises:
        InsideTransactionError: it does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        inside = _is_in_atomic(alias)
    else:
        inside = is_loop_thread_in_atomic(alias) or is_caller_in_atomic(alias)
    if inside:
        raise InsideTransactionError(alias=alias)


def is_loop_thread_in_atomic(alias: str) -> bool:
    """Whether the thread of the running event loop holds a transaction on ``alias``.

    As long as the loop runs the answer stays the same.
    """
    # inside a coroutine Django shows the coroutine's own connections, not those of its thread
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return _is_in_atomic(alias)
    finally:
        asyncio._set_running_loop(loop)


def _is_in_atomic(alias: str) -> bool:
    return bool(connections[alias].in_atomic_block)


def is_caller_in_atomic(alias: str) -> bool:
    """Whether a thread that waits in ``async_to_sync`` for this task holds a transaction."""
    task = asyncio.current_task()
    without_caller = _without_caller.get()
    if without_caller is not None and without_caller() is task is not None:
        return False
    waiting_thread = getattr(AsyncToSync.executors, "current", None)
    if waiting_thread is None:
        if task is not None:
            _without_caller.set(ref(task))
        return False
    try:
        answer = waiting_thread.submit(_is_in_atomic, alias)
        return bool(answer.result(_CALLER_ANSWERS_WITHIN_S))
    except (RuntimeError, TimeoutError, CancelledError):
        # it waits no more, or does something else at present: this task has outlived its call
        return False


def close_quietly(connection: BaseDatabaseWrapper) -> None:
    """Close a connection that may be broken; whatever the driver says of it is of no use."""
    try:
        connection.close()
    except Exception:  # a broken driver connection may raise anything here
        logger.debug("closing a broken connection failed", exc_info=True)
        connection.connection = None


class ConnectionThreads:
    """Threads that run calls for event loops; each closes its database connections at its end."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def run(self, function: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """Run ``function(*args)`` in a thread; for callers on a running event loop."""
        if not self._threads:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.put(_Call(loop, future, function, args))
        return future

    def stop(self) -> None:
        """Let the calls that wait finish, close the connections, end the threads."""
        with self._lock:
            threads, self._threads = self._threads, []
        for _ in threads:
            self._calls.put(None)
        for thread in threads:
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._threads:
                return
            self._threads = [
                threading.Thread(target=self._work, name=f"{self._name}-{n}", daemon=True)
                for n in range(self._count)
            ]
            for thread in self._threads:
                thread.start()

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                call.run()
        finally:
            connections.close_all()


class _Call(NamedTuple):
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    function: Callable[..., Any]
    args: tuple[Any, ...]

    def run(self) -> None:
        if self.future.cancelled():
            return
        try:
            result = self.function(*self.args)
        except BaseException as error:
            call_in_loop(self.loop, fail, self.future, error)
        else:
            call_in_loop(self.loop, resolve, self.future, result)


def call_in_loop(
    loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: Any
) -> None:
    """Call ``callback`` in ``loop`` from another thread; a loop that has ended wants no news."""
    try:
        loop.call_soon_threadsafe(callback, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


def resolve(future: "asyncio.Future[T]", result: T) -> None:
    """Give ``future`` its result, unless its caller has gone."""
    if not future.done():
        future.set_result(result)


def fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    """Give ``future`` its error, unless its caller has gone."""
    if not future.done():
        future.set_exception(error)


def sql_state(error: BaseException | None) -> str | None:
    """The SQLSTATE of a PostgreSQL error behind Django's; None for any other."""
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if state is not None:
            return str(state)
        error = error.__cause__
    return None


def is_session_over(error: BaseException) -> bool:
    """Whether an operational error is, or may be, the last word of its connection.

    The server may have said so while the driver has not noticed the end of the connection yet.
    """
    state = sql_state(error)
    return state is None or state.startswith(_SESSION_OVER)


def _is_operational(error: Exception) -> bool:
    # the driver takes an idle timeout for a fault of its caller's
    return isinstance(error, OperationalError | InterfaceError) or sql_state(error) == _IDLE_TIMEOUT


def _may_succeed_at_once(error: Exception, *, was_open: bool) -> bool:
    if sql_state(error) in _RETRIED_STATES:
        return True
    return was_open and is_session_over(error) and not _is_sqlite_busy(error)


def _is_sqlite_busy(error: Exception) -> bool:
    # its busy timeout has passed already; waiting once more would only double the caller's wait
    return getattr(error.__cause__, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _unavailable(error: Exception) -> DatabaseUnavailableError:
    if sql_state(error) == _LOCK_TIMEOUT:
        return RowLockedError(str(error))
    return DatabaseUnavailableError(str(error))
