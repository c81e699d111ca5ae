"""Reading settings from environment variables."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from syncsite import environment


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)

    assert environment.text("X", "default") == "default"
    assert environment.number("X", 7, at_least=0, at_most=9) == 7
    assert environment.flag("X", default=True) is True
    assert environment.names("X") == []
    assert environment.secret("X") == ""


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("Yes", True), ("0", False), ("off", False)]
)
def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("X", value)

    assert environment.flag("X") is expected


@pytest.mark.parametrize("value", ["2", "maybe"])
def test_a_flag_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)

    with pytest.raises(ImproperlyConfigured, match="X must be 1 or 0"):
        environment.flag("X")


@pytest.mark.parametrize("value", ["0", "65", "-1", "1.5", "ten", "²"])
def test_a_number_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X", value)

    with pytest.raises(ImproperlyConfigured, match="X must be a number from 1 to 64"):
        environment.number("X", 1, at_least=1, at_most=64)


def test_names_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "a.example, b.example,,")

    assert environment.names("X") == ["a.example", "b.example"]


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("X_FILE", str(tmp_path / "secret"))

    assert environment.secret("X") == "hush"


def test_a_secret_from_two_places_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "hush")
    monkeypatch.setenv("X_FILE", "/anywhere")

    with pytest.raises(ImproperlyConfigured, match="not both"):
        environment.secret("X")


def test_a_secret_whose_file_cannot_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("X_FILE", str(tmp_path / "missing"))

    with pytest.raises(ImproperlyConfigured, match="X_FILE cannot be read"):
        environment.secret("X")
