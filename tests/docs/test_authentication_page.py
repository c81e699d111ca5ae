"""docs/authentication.md: its hooks let in whom they say, and nobody else."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from livesync.protocol.errors import AuthError
from syncsite.livesync_settings import AUTH_CHOICES
from tests.docs import sync_http
from tests.docs.pages import named_in, page, rows
from tests.docs.sync_http import new_store_id, outcome, pull
from tests.site_process import SiteProcess

PAGE = page("docs/authentication.md")
PAGE_ORIGIN = "http://localhost:5173"
REFUSED = "400"


def test_every_ready_made_choice_is_there() -> None:
    table = PAGE.text.partition("\nAll but `open`")[0]
    documented = {name for row in rows(table) for name in named_in(row[0])}

    assert documented == {*AUTH_CHOICES}


def test_the_example_of_a_client_sends_what_the_shared_secret_hook_reads() -> None:
    assert "syncPayload: { authToken: 'the secret' }" in PAGE.block("client.js").text

    with _site({"SYNCSITE_AUTH": "shared-secret", "SYNCSITE_AUTH_SECRET": "0123456789abcdef"}) as (
        _,
        http,
    ):
        assert _pull(http, "notes", {"authToken": "0123456789abcdef"}) == "Success"
        assert _pull(http, "notes", {"authToken": "another"}) == REFUSED
        assert _pull(http, "notes") == REFUSED
        bearer = {"authorization": "Bearer 0123456789abcdef"}
        assert _pull(http, "notes", headers=bearer) == "Success"


def test_a_token_opens_the_store_it_was_made_for(tmp_path: Path) -> None:
    with _site_with("store_tokens.py", "StoreTokenHooks", tmp_path) as (site, http):
        store_id = new_store_id()
        token = _shell(site, f"from store_tokens import *; print(make_token({store_id!r}))")

        assert _pull(http, store_id, {"authToken": token}) == "Success"
        assert _pull(http, new_store_id(), {"authToken": token}) == REFUSED
        assert _pull(http, store_id, {"authToken": f"{token}x"}) == REFUSED
        assert _pull(http, store_id) == REFUSED
        assert "a hook of the site failed" not in site.log


def test_a_member_of_a_group_may_sync_the_store_of_the_group(tmp_path: Path) -> None:
    with _site_with("group_stores.py", "GroupHooks", tmp_path) as (site, http):
        visitor = {"cookie": f"sessionid={_shell(site, SIGN_IN)}", "origin": PAGE_ORIGIN}

        assert _pull(http, "group-painters", headers=visitor) == "Success"
        assert _pull(http, "group-others", headers=visitor) == REFUSED
        assert _pull(http, "group-painters", headers={"origin": PAGE_ORIGIN}) == REFUSED
        assert _pull(http, "group-painters", headers={"cookie": visitor["cookie"]}) == "403"
        assert "a hook of the site failed" not in site.log


@pytest.fixture(scope="module")
def token_site() -> Iterator[tuple[SiteProcess, Any]]:
    """A site as the page sets it up for tokens of two kinds, and the page's own issuer."""
    issuer: dict[str, Any] = {"__name__": "token_of_user"}
    exec(PAGE.block("token_of_user.py").text, issuer)
    environment = {
        "SYNCSITE_AUTH": "jwt,store-token",
        "SYNCSITE_JWT_ALGORITHMS": "HS256",
        "SYNCSITE_JWT_KEY": issuer["KEY"],
        "SYNCSITE_JWT_AUDIENCE": "sync.example.org",
        "SYNCSITE_STORE_PERMISSIONS": "1",
    }
    with SiteProcess(environment=environment) as site:
        _shell(site, PAGE.block("permit.py").text)
        yield site, issuer["token_of"]


def test_a_json_web_token_opens_what_it_names_and_what_its_subject_may(
    token_site: tuple[SiteProcess, Any],
) -> None:
    site, token_of = token_site
    with httpx.Client(base_url=site.http_url) as http:
        for token, answer in (
            (token_of("ada", stores=["notes"]), "Success"),
            (token_of("ada"), "Success"),
            (token_of("ada", stores=["tasks"]), REFUSED),
            (token_of("bob", stores=["notes"]), REFUSED),
            (token_of("ada", exp=5), REFUSED),
        ):
            assert _pull(http, "notes", {"authToken": token}) == answer
        bearer = {"authorization": f"Bearer {token_of('ada')}"}
        assert _pull(http, "notes", headers=bearer) == "Success"
        assert _pull(http, "tasks", headers=bearer) == REFUSED


def test_a_store_token_opens_its_store(token_site: tuple[SiteProcess, Any]) -> None:
    site, _ = token_site
    (command,) = re.findall(r"`manage\.py (create_store_token [^`]*)`", PAGE.text)
    token = site.manage(*command.split()).strip()

    with httpx.Client(base_url=site.http_url) as http:
        assert _pull(http, "notes", {"authToken": token}) == "Success"
        assert _pull(http, "tasks", {"authToken": token}) == REFUSED


def test_teams_have_stores_of_their_own(tmp_path: Path) -> None:
    issuer: dict[str, Any] = {"__name__": "token_of_user"}
    exec(PAGE.block("token_of_user.py").text, issuer)
    (tmp_path / "teams.py").write_text(PAGE.block("teams.py").text)
    environment = {
        "SYNCSITE_AUTH": "teams.TeamHooks",
        "PYTHONPATH": str(tmp_path),
        "SYNCSITE_JWT_ALGORITHMS": "HS256",
        "SYNCSITE_JWT_KEY": issuer["KEY"],
        "SYNCSITE_JWT_AUDIENCE": "sync.example.org",
    }

    with _site(environment) as (site, http):
        for user in ("blue:ada", "red:bob"):
            assert _pull(http, "notes", {"authToken": issuer["token_of"](user)}) == "Success"
        assert _pull(http, "notes", {"authToken": issuer["token_of"](":eve")}) == REFUSED
        assert "store:             blue/notes" in site.manage("inspect_store", "blue/notes")
        assert "store:             red/notes" in site.manage("inspect_store", "red/notes")


@pytest.mark.parametrize("name", ["store_tokens.py", "group_stores.py"])
def test_the_hooks_refuse_with_an_auth_error(name: str) -> None:
    assert f"raise {AuthError.__name__}(" in PAGE.block(name).text


SIGN_IN = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore

user = User.objects.create_user("ada")
user.groups.add(Group.objects.create(name="painters"))
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(session.session_key)
"""


@contextmanager
def _site(environment: dict[str, str]) -> Iterator[tuple[SiteProcess, httpx.Client]]:
    with SiteProcess(environment=environment) as site, httpx.Client(base_url=site.http_url) as http:
        yield site, http


@contextmanager
def _site_with(name: str, cls: str, directory: Path) -> Iterator[tuple[SiteProcess, httpx.Client]]:
    (directory / name).write_text(PAGE.block(name).text)
    hooks = f"{name.removesuffix('.py')}.{cls}"
    with _site({"SYNCSITE_AUTH": hooks, "PYTHONPATH": str(directory)}) as served:
        yield served


def _shell(site: SiteProcess, code: str) -> str:
    return site.manage("shell", "--verbosity", "0", "--command", code).strip()


def _pull(
    http: httpx.Client,
    store_id: str,
    payload: object = None,
    headers: dict[str, str] | None = None,
) -> str:
    text = None if payload is None else json.dumps(payload)
    url = sync_http.url(store_id, payload=text)
    return outcome(http.post(url, json=pull(store_id), headers=headers))
