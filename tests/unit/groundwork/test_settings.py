"""One dict of Django settings becomes one frozen object, or an error that helps."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from groundwork.settings import SettingsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    name: str = "default"
    max_events: int = 100
    timeout_s: float = 1.5
    is_on: bool = False
    origins: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = field(default=(), repr=False)


@pytest.fixture
def read() -> SettingsReader[Tuned]:
    return SettingsReader("TUNED_FOR_TESTS", Tuned)


def test_without_the_setting_every_value_is_the_default(read: SettingsReader[Tuned]) -> None:
    assert read() == Tuned()


def test_what_the_site_says_replaces_the_default(
    read: SettingsReader[Tuned], settings: Settings
) -> None:
    settings.TUNED_FOR_TESTS = {"max_events": 7, "timeout_s": 2, "headers": {"a": "b"}}

    assert read() == Tuned(max_events=7, timeout_s=2, headers={"a": "b"})


def test_the_object_is_kept_until_the_setting_changes(
    read: SettingsReader[Tuned], settings: Settings
) -> None:
    first = read()
    settings.ANOTHER_SETTING = 1
    assert read() is first

    settings.TUNED_FOR_TESTS = {"name": "other"}

    assert read().name == "other"


def test_the_object_cannot_be_changed(read: SettingsReader[Tuned]) -> None:
    with pytest.raises(FrozenInstanceError):
        read().name = "other"  # type: ignore[misc] # what the test is about


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_event": 7}, "unknown key 'max_event'; did you mean 'max_events'"),
        ({"zzz": 7}, r"unknown key 'zzz'$"),
        ({"max_events": "7"}, r"TUNED_FOR_TESTS\['max_events'\] must be int, not '7'"),
        ({"max_events": True}, "must be int, not True"),
        ({"max_events": 7.0}, "must be int, not 7.0"),
        ({"timeout_s": True}, "must be float, not True"),
        ({"timeout_s": "1"}, "must be float, not '1'"),
        ({"is_on": 1}, "must be bool, not 1"),
        ({"name": None}, "must be str, not None"),
        ({"origins": ["a"]}, "must be tuple"),
        ({"headers": [("a", "b")]}, "must be Mapping"),
    ],
)
def test_a_wrong_key_or_type_says_what_is_wrong(
    read: SettingsReader[Tuned], settings: Settings, given: dict[str, Any], message: str
) -> None:
    settings.TUNED_FOR_TESTS = given

    with pytest.raises(ImproperlyConfigured, match=message):
        read()


@pytest.mark.parametrize("given", ["CANARY-7f3a", ["CANARY-7f3a"]])
def test_a_secret_of_a_wrong_type_is_not_shown(
    read: SettingsReader[Tuned], settings: Settings, given: object
) -> None:
    settings.TUNED_FOR_TESTS = {"keys": given}

    with pytest.raises(ImproperlyConfigured, match=r"\['keys'\] must be tuple") as refused:
        read()

    assert "CANARY" not in str(refused.value)
    settings.TUNED_FOR_TESTS = {"keys": ("CANARY-7f3a",)}
    assert "CANARY" not in repr(read())
