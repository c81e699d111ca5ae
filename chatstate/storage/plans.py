"""Which plan carries out which operation."""

from collections.abc import Callable
from typing import Any

from chatstate.protocol.operations import (
    AcquireLock,
    AppendToList,
    Delete,
    Dequeue,
    EndHold,
    Enqueue,
    ExtendLock,
    ForceReleaseLock,
    Get,
    GetList,
    GetMore,
    IsSubscribed,
    Operation,
    QueueDepth,
    ReleaseLock,
    Set,
    SetIfNotExists,
    Subscribe,
    Unsubscribe,
)
from chatstate.storage import cache, lists, locks, queues, subscriptions
from chatstate.storage.context import Context
from chatstate.storage.steps import Plan

_PLANS: dict[type[Operation], Callable[[Any, Context], Plan]] = {
    Subscribe: subscriptions.subscribe,
    Unsubscribe: subscriptions.unsubscribe,
    IsSubscribed: subscriptions.is_subscribed,
    AcquireLock: locks.acquire,
    ExtendLock: locks.extend,
    ReleaseLock: locks.release,
    ForceReleaseLock: locks.force_release,
    EndHold: locks.end_hold,
    Get: cache.get,
    Set: cache.set_,
    SetIfNotExists: cache.set_if_not_exists,
    Delete: cache.delete,
    AppendToList: lists.append,
    GetList: lists.get_list,
    GetMore: lists.get_more,
    Enqueue: queues.enqueue,
    Dequeue: queues.dequeue,
    QueueDepth: queues.queue_depth,
}


def plan(operation: Operation, context: Context) -> Plan:
    """The statements that carry out ``operation`` in the transaction ``context``."""
    return _PLANS[type(operation)](operation, context)
