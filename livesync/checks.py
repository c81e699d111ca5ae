"""System checks: what an operator should hear before the site starts."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import msgspec
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from livesync import hooks
from livesync.auth.checks import check_auth
from livesync.auth.hooks import AuthHooks
from livesync.auth.shared_secrets import SharedSecret
from livesync.conf import get_settings
from livesync.storage.choosing import chooser

OLDEST_SQLITE_FOR_FILES = (3, 37)  # the reference's tables are STRICT
MIN_SECRET_LENGTH = 16
_OF_ANY_PAGE = frozenset({"*", "null"})  # a sandboxed frame says null, whoever has made it
_MAY_BE_ZERO = frozenset(
    {
        "auth_recheck_s",
        "jwt_grace_s",
        "jwt_jwks_max_age_s",
        "jwt_leeway_s",
        "retry_budget_s",
        "signals_max_bytes",
    }
)
_SECRET_HINT = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"


@register("livesync")
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Refuse settings that cannot work, and a production site without a choice of auth."""
    try:
        site_hooks = hooks.get_hooks()
    except (ImproperlyConfigured, ImportError, TypeError) as error:
        return [Error(str(error), id="livesync.E001")]
    found = [
        *_check_chosen(site_hooks),
        *check_auth(site_hooks),
        *_check_schema(site_hooks),
        *_check_transports(),
        *_check_admin_secret(),
        *_check_engine(),
        *_check_numbers(),
    ]
    if any(message.id == "livesync.E005" for message in found):
        return found  # whether sessions count is not known
    return [*found, *_check_secret(site_hooks), *_check_origins(site_hooks)]


def _check_schema(site_hooks: hooks.Hooks) -> list[CheckMessage]:
    try:
        if site_hooks.payload_schema is not None:
            msgspec.convert(None, site_hooks.payload_schema)
    except msgspec.ValidationError:
        pass  # a type that can be read; None need not fit it
    except Exception as error:
        reason = f"payload_schema is no type that msgspec can read: {error}"
        return [Error(reason, id="livesync.E010")]
    return []


def _check_transports() -> list[CheckMessage]:
    known = get_args(hooks.Transport)
    unknown = [name for name in get_settings().enabled_transports if name not in known]
    if not unknown:
        return []
    reason = f"LIVESYNC['enabled_transports'] names {unknown}; there are {', '.join(known)}."
    return [Error(reason, id="livesync.E011")]


def _check_admin_secret() -> list[CheckMessage]:
    secret = get_settings().admin_secret
    if not secret or len(secret) >= MIN_SECRET_LENGTH:
        return []
    reason = f"LIVESYNC['admin_secret'] has fewer than {MIN_SECRET_LENGTH} characters."
    return [Error(reason, hint=_SECRET_HINT, id="livesync.E012")]


def _check_engine() -> list[CheckMessage]:
    directory = get_settings().files_directory
    try:
        is_in_files = chooser() is not None
    except ImproperlyConfigured as error:
        return [Error(str(error), id="livesync.E020")]
    if directory and not Path(directory).is_absolute():
        reason = "LIVESYNC['files_directory'] is no absolute path."
        return [Error(reason, id="livesync.E021")]
    if is_in_files and not directory:
        reason = "LIVESYNC['engine'] wants files, but LIVESYNC['files_directory'] names no place."
        return [Error(reason, id="livesync.E021")]
    if is_in_files and sqlite3.sqlite_version_info < OLDEST_SQLITE_FOR_FILES:
        oldest = ".".join(map(str, OLDEST_SQLITE_FOR_FILES))
        reason = f"Stores in files need SQLite {oldest}; this is {sqlite3.sqlite_version}."
        return [Error(reason, id="livesync.E022")]
    return []


def _check_numbers() -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for name, number in asdict(get_settings()).items():
        if type(number) not in (int, float) or number > 0:
            continue
        if number == 0 and name in _MAY_BE_ZERO:
            continue
        least = "0 or more" if name in _MAY_BE_ZERO else "above 0"
        reason = f"LIVESYNC[{name!r}] must be {least}, not {number}."
        problems.append(Error(reason, id="livesync.E014"))
    return problems


def _check_chosen(site_hooks: hooks.Hooks) -> list[CheckMessage]:
    if settings.DEBUG or hooks.is_auth_chosen(site_hooks):
        return []
    return [
        Error(
            "Nobody has said who may sync, so every sync request is refused.",
            hint=(
                "Set LIVESYNC['hooks'] to livesync.auth.hooks.AuthHooks, with what lets in under"
                " LIVESYNC['auth'], to a class of your own with validate_payload, or, for a server"
                " that is open to everybody who reaches it, to livesync.hooks.OpenHooks."
            ),
            id="livesync.E002",
        )
    ]


def _check_secret(site_hooks: hooks.Hooks) -> list[CheckMessage]:
    is_short = len(get_settings().shared_secret) < MIN_SECRET_LENGTH
    if not (is_short and _asks_for_secret(site_hooks)):
        return []
    return [
        Error(
            f"LIVESYNC['shared_secret'] has fewer than {MIN_SECRET_LENGTH} characters.",
            hint=_SECRET_HINT,
            id="livesync.E003",
        )
    ]


def _asks_for_secret(site_hooks: hooks.Hooks) -> bool:
    return isinstance(site_hooks, AuthHooks) and any(
        isinstance(kind, SharedSecret) for kind in site_hooks.loaded_kinds()
    )


def _check_origins(site_hooks: hooks.Hooks) -> list[CheckMessage]:
    origins = get_settings().allowed_origins
    if site_hooks.uses_session and not _OF_ANY_PAGE.isdisjoint(origins):
        return [
            Error(
                "Any origin is allowed, or 'null', but sessions say who may sync: every page that a"
                " signed-in visitor opens could sync in their name.",
                hint="List the origins of your app in LIVESYNC['allowed_origins'].",
                id="livesync.E004",
            )
        ]
    if not settings.DEBUG and not origins:
        return [
            Warning(
                "No origin is allowed, so no web page can sync; clients outside of browsers can.",
                hint="List the origins of your app in LIVESYNC['allowed_origins'].",
                id="livesync.W001",
            )
        ]
    return []
