"""Who holds a transaction is told so before it waits for itself."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction

from groundwork.connections import InsideTransactionError, refuse_inside_atomic
from livesync.services.push import push
from tests.factories import make_events

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "livesync"])


async def check(alias: str) -> None:
    refuse_inside_atomic(alias)


def test_a_caller_without_a_transaction_passes() -> None:
    refuse_inside_atomic("livesync")
    async_to_sync(check)("livesync")


def test_a_caller_inside_one_is_told_what_to_do() -> None:
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError) as refusal:
        refuse_inside_atomic("livesync")

    assert refusal.value.alias == "livesync"
    assert "transaction.on_commit(..., using='livesync')" in str(refusal.value)


def test_a_transaction_on_another_database_does_no_harm() -> None:
    with transaction.atomic("default"):
        refuse_inside_atomic("livesync")
        async_to_sync(check)("livesync")


def test_a_caller_of_async_code_is_told_as_well() -> None:
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError):
        async_to_sync(check)("livesync")


def test_who_runs_a_loop_inside_one_is_told_as_well() -> None:
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError):
        asyncio.run(check("livesync"))


async def test_a_thread_of_an_event_loop_is_told_as_well() -> None:
    def in_transaction() -> None:
        with transaction.atomic("livesync"):
            async_to_sync(check)("livesync")

    await check("livesync")  # what is noted of this task must not pass for the other
    await check("livesync")
    with pytest.raises(InsideTransactionError):
        await sync_to_async(in_transaction)()
    await sync_to_async(connections.close_all)()


def test_a_task_that_has_outlived_its_call_passes() -> None:
    async def start() -> "asyncio.Task[None]":
        return asyncio.create_task(check("livesync"))

    async def outer() -> None:
        task: Any = await sync_to_async(async_to_sync(start))()
        await task

    asyncio.run(outer())


def test_a_push_inside_a_transaction_is_refused_at_once() -> None:
    with transaction.atomic("livesync"), pytest.raises(InsideTransactionError):
        async_to_sync(push)("a", None, make_events(1))
