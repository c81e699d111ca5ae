"""System checks: settings that cannot work stop the site before they can do harm."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils.module_loading import import_string

from chatstate.conf import ChatstateSettings, get_settings
from chatstate.models import Shard
from chatstate.protocol.messages import READABLE_DEPTH
from chatstate.sharding import DEFAULT, database_aliases

_BOUNDS: dict[str, tuple[int, float]] = {
    "key_max_bytes": (1, 1_024),
    "value_max_depth": (1, READABLE_DEPTH - 1),
    # what the protocol promises, and clients count on
    "answers_kept_ms": (60_000, math.inf),
    "token_recheck_s": (0, math.inf),
}


@register("chatstate")
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Refuse what cannot work: misspelt keys, shards without an alias, broken hooks, bounds."""
    try:
        found = get_settings()
    except (ImproperlyConfigured, TypeError) as error:
        return [Error(str(error), id="chatstate.E001")]
    return [*_check_shards(found), *_check_hooks(found), *_check_bounds(found)]


@register("chatstate", deploy=True)
def check_databases(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Refuse a shard whose database has no tables.

    Runs with ``check --deploy --database ALIAS``; at every ``check`` it would keep ``migrate`` from
    making them.
    """
    aliases = [alias for alias in database_aliases() if alias in (databases or ())]
    return [_not_migrated(alias) for alias in aliases if not is_migrated(alias)]


def is_migrated(alias: str) -> bool:
    """Whether the database behind ``alias`` answers and has the tables."""
    try:
        Shard.objects.using(alias).exists()
    except DatabaseError:
        return False
    return True


def _check_shards(found: ChatstateSettings) -> list[CheckMessage]:
    problems: list[CheckMessage] = [
        Error(
            f"The shard {shard!r} is mapped to {alias!r}, which is not in DATABASES.",
            hint="Add the database, or map the shard to one that is there.",
            id="chatstate.E002",
        )
        for shard, alias in found.shards.items()
        if alias not in settings.DATABASES
    ]
    if DEFAULT not in found.shards:
        problems.append(
            Error(
                f"CHATSTATE['shards'] has no {DEFAULT!r}.",
                hint="It keeps what no hook puts elsewhere, and the tokens.",
                id="chatstate.E003",
            )
        )
    return problems


def _check_hooks(found: ChatstateSettings) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for name in ("shard_key", "key_shard"):
        path = getattr(found, name)
        try:
            function: Callable[[str], str] = import_string(path)
            if not isinstance(function("platform:channel:thread"), str):
                raise TypeError("it does not give a string")
        except Exception as error:  # a hook of the site may raise anything
            problems.append(
                Error(
                    f"CHATSTATE[{name!r}] = {path!r} cannot be used: {error}",
                    hint="It must be a function that takes a string and gives a shard's name.",
                    id="chatstate.E004",
                )
            )
    return problems


def _check_bounds(found: ChatstateSettings) -> list[CheckMessage]:
    numbers = {k: value for k, value in asdict(found).items() if isinstance(value, int | float)}
    problems: list[CheckMessage] = []
    for name, number in numbers.items():
        least, most = _BOUNDS.get(name, (1, math.inf))
        if not least <= number <= most:
            bounds = f"{least:,} or more" if most == math.inf else f"{least:,} to {most:,}"
            reason = f"CHATSTATE[{name!r}] must be {bounds}, not {number}."
            problems.append(Error(reason, id="chatstate.E006"))
    return problems


def _not_migrated(alias: str) -> CheckMessage:
    return Error(
        f"The database {alias!r} keeps shards of chatstate but has no tables for them.",
        hint=f"Run: manage.py migrate --database {alias}",
        id="chatstate.E005",
    )
