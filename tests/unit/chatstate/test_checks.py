"""Settings that cannot work are refused before the site starts."""

from typing import Any

import pytest
from pytest_django import Settings

from chatstate.checks import check_settings

SHARDS = {"default": "chatstate"}


def refused(settings: Settings, **chatstate: Any) -> list[tuple[str | None, str]]:
    """The ids and texts of what the checks say."""
    settings.CHATSTATE = chatstate
    return [(each.id, str(each.msg)) for each in check_settings(None)]


def not_a_shard(place: str) -> Any:
    """A hook without an answer."""


def test_the_defaults_are_fine(settings: Settings) -> None:
    assert refused(settings) == []


@pytest.mark.parametrize(
    ("chatstate", "id", "part"),
    [
        ({"shard": SHARDS}, "E001", "unknown key 'shard'; did you mean"),
        ({"shards": "default"}, "E001", "['shards'] must be Mapping"),
        ({"shards": {**SHARDS, "slack": "mars"}}, "E002", "'slack' is mapped to 'mars'"),
        ({"shards": {"slack": "chatstate"}}, "E003", "has no 'default'"),
        ({"shard_key": "chatstate.sharding.nothing"}, "E004", "['shard_key'] = "),
        ({"key_shard": f"{__name__}.not_a_shard"}, "E004", "it does not give a string"),
        ({"key_max_bytes": 1_025}, "E006", "['key_max_bytes'] must be 1 to 1,024, not 1025"),
        ({"value_max_depth": 700}, "E006", "must be 1 to 699"),
        ({"answers_kept_ms": 59_999}, "E006", "must be 60,000 or more"),
        ({"operations_per_frame": 0}, "E006", "must be 1 or more"),
        ({"idle_timeout_s": -1.5}, "E006", "['idle_timeout_s'] must be 1 or more, not -1.5"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    settings: Settings, chatstate: dict[str, Any], id: str, part: str
) -> None:
    ((found, message),) = refused(settings, **chatstate)

    assert found == f"chatstate.{id}"
    assert part in message


def test_a_bound_may_be_reached(settings: Settings) -> None:
    reached = {"key_max_bytes": 1_024, "value_max_depth": 699, "answers_kept_ms": 60_000}

    assert refused(settings, **reached, token_recheck_s=0.0) == []
