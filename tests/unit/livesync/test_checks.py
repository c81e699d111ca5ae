"""What an operator hears before the site starts."""

from typing import Any

import pytest
from pytest_django import Settings

from livesync.auth.hooks import AuthHooks
from livesync.checks import check_settings
from livesync.hooks import Hooks, OpenHooks, get_hooks, is_auth_chosen

OPEN = "livesync.hooks.OpenHooks"
AUTH = "livesync.auth.hooks.AuthHooks"
SECRET = {"hooks": AUTH, "auth": ("shared-secret",)}
SIGNED_IN = {"hooks": AUTH, "auth": ("session",)}
ORIGINS = ("https://app.example",)


class NotHooks:
    pass


class WithSchema(OpenHooks):
    payload_schema = dict[str, int] | None


class WithBrokenSchema(OpenHooks):
    payload_schema = "dict[str, int]"


def choose(store_id: str) -> str:
    return "files"


CHOOSE = f"{__name__}.choose"


def ids() -> list[str | None]:
    return [message.id for message in check_settings(None)]


@pytest.mark.parametrize(
    ("debug", "tuned", "found"),
    [
        (True, {}, []),
        (True, {"hooks": OPEN}, []),
        (False, {"hooks": OPEN, "allowed_origins": ORIGINS}, []),
        (False, {}, ["livesync.E002", "livesync.W001"]),
        (False, {"allowed_origins": ORIGINS}, ["livesync.E002"]),
        (False, {"hooks": OPEN}, ["livesync.W001"]),
        (True, SECRET, ["livesync.E003"]),
        (True, SECRET | {"shared_secret": "x" * 15}, ["livesync.E003"]),
        (True, SECRET | {"shared_secret": "x" * 16}, []),
        (True, SIGNED_IN | {"allowed_origins": ("*",)}, ["livesync.E004"]),
        (False, SIGNED_IN | {"allowed_origins": ("*",)}, ["livesync.E004"]),
        (False, SIGNED_IN | {"allowed_origins": ("https://a.b", "null")}, ["livesync.E004"]),
        (True, {"hooks": OPEN, "allowed_origins": ("*",)}, []),
        (True, SIGNED_IN | {"allowed_origins": ORIGINS}, []),
        (True, {"hooks": f"{__name__}.WithSchema"}, []),
        (True, {"hooks": f"{__name__}.WithBrokenSchema"}, ["livesync.E010"]),
        (True, {"admin_secret": "x" * 15}, ["livesync.E012"]),
        (True, {"admin_secret": "x" * 16}, []),
        (True, {"enabled_transports": ("http",)}, []),
        (True, {"enabled_transports": ("http", "do-rpc")}, ["livesync.E011"]),
        (True, {"engine": "files", "files_directory": "/stores"}, []),
        (True, {"engine": CHOOSE, "files_directory": "/stores"}, []),
        (True, {"engine": "file", "files_directory": "/stores"}, ["livesync.E020"]),
        (True, {"engine": f"{__name__}.OPEN", "files_directory": "/x"}, ["livesync.E020"]),
        (True, {"files_directory": "stores"}, ["livesync.E021"]),
        (True, {"engine": "files"}, ["livesync.E021"]),
        (True, {"page_max_events": 0}, ["livesync.E014"]),
        (True, {"hook_timeout_s": float("nan"), "readers": -1}, ["livesync.E014"] * 2),
        (True, {"retry_budget_s": 0.0}, []),
        (True, {"retry_budget_s": -0.5}, ["livesync.E014"]),
        (True, {"hook": OPEN}, ["livesync.E001"]),
        (True, {"shared_secret": 5}, ["livesync.E001"]),
        (True, {"hooks": "no.such.module.Hooks"}, ["livesync.E001"]),
        (True, {"hooks": "livesync.hooks.NoSuchHooks"}, ["livesync.E001"]),
        (True, {"hooks": f"{__name__}.NotHooks"}, ["livesync.E001"]),
    ],
)
def test_what_is_wrong_is_found(
    settings: Settings, debug: bool, tuned: dict[str, Any], found: list[str]
) -> None:
    settings.DEBUG = debug
    settings.LIVESYNC = tuned

    assert ids() == found


def test_a_missing_choice_of_auth_says_what_to_choose_from(settings: Settings) -> None:
    settings.DEBUG = False
    settings.LIVESYNC = {"allowed_origins": ORIGINS}

    (error,) = check_settings(None)

    for choice in (OPEN, AUTH):
        assert choice in str(error.hint)


def test_no_message_holds_the_secret(settings: Settings) -> None:
    settings.LIVESYNC = SECRET | {"shared_secret": "hunter2"}

    assert "hunter2" not in str(check_settings(None))


def test_the_hooks_are_those_of_the_settings_and_made_once(settings: Settings) -> None:
    settings.LIVESYNC = {"hooks": OPEN}
    assert type(get_hooks()) is OpenHooks
    assert get_hooks() is get_hooks()

    settings.LIVESYNC = SECRET
    assert type(get_hooks()) is AuthHooks


def test_a_choice_is_made_by_overriding_the_hook() -> None:
    class Inherits(Hooks):
        uses_session = True

    class Overrides(Inherits):
        async def validate_payload(self, payload: Any, context: Any) -> None:
            pass

    assert not is_auth_chosen(Hooks())
    assert not is_auth_chosen(Inherits())
    assert is_auth_chosen(Overrides())
    assert is_auth_chosen(OpenHooks())
