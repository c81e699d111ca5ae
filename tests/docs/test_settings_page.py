"""docs/settings.md names every setting there is, and none that is not; so do the tables of keys."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from syncsite.livesync_settings import livesync_settings
from tests.docs.pages import ROOT, named_in, page, rows
from tests.docs.settings_table import TABLES, SettingsTable
from tests.site_process import SITE_VARIABLES

PAGE = page("docs/settings.md")
ENVIRONMENT = PAGE.section("Environment variables")

READERS = {"text", "flag", "number", "names", "secret"}
"""The functions of ``syncsite.environment``."""

READ_BY_OTHERS = {
    "DJANGO_SETTINGS_MODULE",  # Django
    "FORWARDED_ALLOW_IPS",  # uvicorn
}
PRODUCTION_ENV = ROOT / "syncsite" / "production.env.example"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.page.name))
def test_a_table_of_settings_is_the_one_that_the_code_makes(table: SettingsTable) -> None:
    assert table.written() == table.text().strip()


def test_every_variable_that_the_site_reads_is_in_the_table() -> None:
    documented = {name for row in rows(ENVIRONMENT) for name in named_in(row[0])}

    assert documented == read_variables() | READ_BY_OTHERS


def test_every_secret_may_come_from_a_file() -> None:
    (sentence,) = re.findall(r"^`SECRET_KEY`, .*? refused\.$", ENVIRONMENT, re.M | re.S)

    secrets = read_variables("secret")

    assert set(named_in(sentence)) == secrets | {f"{name}_FILE" for name in secrets}


def test_the_docstrings_of_the_settings_name_every_variable_too() -> None:
    named = set()
    for module in ("settings", "production"):
        docstring = ast.get_docstring(_parse(ROOT / "syncsite" / f"{module}.py")) or ""
        named |= set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", docstring))

    assert read_variables() - named == set()


def test_the_example_of_an_environment_names_variables_that_exist() -> None:
    named = re.findall(r"^(?:# )?([A-Z_]+)=", PRODUCTION_ENV.read_text(), re.MULTILINE)

    known = read_variables() | READ_BY_OTHERS

    assert [name for name in named if name.removesuffix("_FILE") not in known] == []


def test_the_keys_that_the_environment_sets_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SYNCSITE_AUTH", "jwt,store-token")
    monkeypatch.setenv("SYNCSITE_ENGINE", "files")
    (sentence,) = re.findall(r"^The environment sets .*? and `\w+`\.", PAGE.text, re.M | re.S)

    keys = livesync_settings(development=True, data_directory=tmp_path).keys()

    jwt = {key for key in keys if key.startswith("jwt_")}
    assert {*named_in(sentence)} == (keys - jwt) | {"jwt_"}
    assert (len(jwt), "six of the keys" in sentence) == (6, True)


def test_a_settings_module_of_ones_own_is_read(tmp_path: Path) -> None:
    block = PAGE.block("mysite.py")
    (tmp_path / block.name).write_text(block.text)

    shown = _run_with_production_settings(
        tmp_path,
        "from livesync.conf import get_settings as s; print(s().readers, s().cors_headers)",
    )

    assert shown.strip() == "8 ('x-request-id',)"


def read_variables(*readers: str) -> set[str]:
    """The variables that ``syncsite`` reads with one of these functions, or with any."""
    return {
        name
        for path in (ROOT / "syncsite").rglob("*.py")
        for node in ast.walk(_parse(path))
        if isinstance(node, ast.Call)
        for name in _variable(node, set(readers) or READERS)
    }


def _variable(call: ast.Call, readers: set[str]) -> list[str]:
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name("environment"), attr=reader),
            args=[ast.Constant(str(name)), *_],
        ) if reader in readers:
            return [name]
    return []


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _run_with_production_settings(directory: Path, code: str) -> str:
    inherited = {name: os.environ[name] for name in os.environ.keys() - SITE_VARIABLES}
    environment = {
        "DJANGO_SETTINGS_MODULE": "mysite",
        "PYTHONPATH": str(directory),
        "SECRET_KEY": "only for this test, and long enough: 0123456789abcdefghij",
        "ALLOWED_HOSTS": "sync.example.org",
        "SYNCSITE_AUTH": "open",
        "SYNCSITE_TLS_PROXY": "1",
        "SYNCSITE_DATA": str(directory / "data"),
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "--command", code, "--verbosity", "0"],
        env=inherited | environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
