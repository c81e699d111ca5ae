"""Which shard an operation belongs to, also when a site's hook is at fault."""

from typing import Any

import pytest
from pytest_django import Settings

from chatstate.protocol.errors import InternalError, UnknownShardError
from chatstate.protocol.operations import Get, IsSubscribed
from chatstate.sharding import common_shard, shard_of

SHARDS = {"default": "chatstate", "slack": "chatstate", "slack:C1": "chatstate"}


def by_number(place: str) -> Any:
    """A hook that has not been made for every key."""
    return None if place == "none" else f"shard{int(place)}"


@pytest.mark.parametrize(
    ("thread_id", "shard"),
    [("slack:C1:1.2", "slack:C1"), ("slack:C2:1", "slack"), ("teams:a:b", "default")],
)
def test_a_thread_and_what_belongs_to_it_share_a_shard(
    settings: Settings, thread_id: str, shard: str
) -> None:
    settings.CHATSTATE = {
        "shards": SHARDS,
        "shard_key": "chatstate.sharding.by_channel",
        "key_shard": "chatstate.sharding.by_thread_prefix",
    }

    assert shard_of(IsSubscribed(thread_id=thread_id)) == shard
    for prefix in ("thread-state", "channel-state", "msg-history", "active-turn", "abort-turn"):
        assert shard_of(Get(key=f"{prefix}:{thread_id}")) == shard
    assert shard_of(Get(key="dedupe:slack:1")) == "default"
    assert shard_of(Get(key=thread_id)) == "default"
    assert shard_of(Get(key=thread_id, shard="slack")) == "slack"


@pytest.mark.parametrize("place", ["none", "no number"])
def test_a_hook_that_fails_is_a_fault_of_ours(
    settings: Settings, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    settings.CHATSTATE = {"shard_key": f"{__name__}.by_number"}

    with pytest.raises(InternalError):
        shard_of(IsSubscribed(thread_id=place))

    assert f"{__name__}.by_number failed" in caplog.text


def test_a_hook_may_name_no_shard_that_is_not_there(settings: Settings) -> None:
    settings.CHATSTATE = {"shard_key": f"{__name__}.by_number"}

    with pytest.raises(UnknownShardError):
        shard_of(IsSubscribed(thread_id="7"))


def test_without_hooks_operations_that_name_no_shard_have_one_in_common(settings: Settings) -> None:
    settings.CHATSTATE = {"shards": SHARDS}
    get = Get(key="k")

    assert common_shard([get, IsSubscribed(thread_id="t")]) == "default"
    assert common_shard([get, Get(key="k", shard="slack")]) is None
    assert common_shard([]) is None


@pytest.mark.parametrize("hook", ["shard_key", "key_shard"])
def test_with_a_hook_each_operation_is_asked_for(settings: Settings, hook: str) -> None:
    settings.CHATSTATE = {"shards": SHARDS, hook: "chatstate.sharding.by_platform"}

    assert common_shard([Get(key="k")]) is None
