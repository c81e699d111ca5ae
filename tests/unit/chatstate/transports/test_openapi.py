"""The description says of every operation what its declaration and the protocol's page say."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from django.core.management import call_command

from chatstate.protocol import errors
from chatstate.protocol.operations import OPERATIONS, GetMore, name_of
from chatstate.transports import openapi
from chatstate.transports.http_answers import STATUSES
from tests.docs.pages import named_in, page, rows

PAGE = page("docs/chat-protocol.md")
PREFIX = "api/chat/v1/"


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(openapi.describe(PREFIX))


def operation_in(document: Any, name: str) -> Any:
    return document["paths"][f"/{PREFIX}{name}"]["post"]


def members_in(document: Any, name: str) -> Any:
    """The schema of the operation's body."""
    body = operation_in(document, name)["requestBody"]["content"]["application/json"]["schema"]
    return document["components"]["schemas"][body["$ref"].rpartition("/")[2]]


def test_it_is_valid_and_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    # it exits with an error otherwise
    call_command("spectacular", "--validate", "--fail-on-warn")

    assert "/api/chat/v1/acquireLock:" in capsys.readouterr().out


def test_it_has_every_operation_that_clients_may_ask_for(document: Any) -> None:
    assert document["paths"].keys() == {f"/{PREFIX}{name}" for name in [*OPERATIONS, "batch"]}
    assert name_of(GetMore) not in document["paths"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_members_are_those_of_the_declaration_each_described(document: Any, name: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(OPERATIONS[name])}
    members = members_in(document, name)

    hidden = {"id"} if OPERATIONS[name].is_once else {"id", "requestId"}
    assert members["properties"].keys() == fields.keys() - hidden
    assert set(members["required"]) == {key for key, field in fields.items() if field.required}
    assert all(member["description"] for member in members["properties"].values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_members_and_right_are_those_of_the_protocols_page(document: Any, name: str) -> None:
    documented = {row[0].strip("`"): row for row in rows(PAGE.section("Operations")) if row[1:]}
    _, members, _, right = documented[name]

    told = members_in(document, name)["properties"].keys() - {"shard"}

    assert told == set(named_in(members))
    assert operation_in(document, name)["description"].endswith(f"the right to {right}.")


@pytest.mark.parametrize("name", [*OPERATIONS, "batch"])
def test_every_operation_needs_a_token_and_tells_its_answer(document: Any, name: str) -> None:
    operation = operation_in(document, name)

    assert operation["security"] == [{"token": []}]
    assert operation["summary"].endswith((".", "?"))
    assert answer_in(operation, "200")
    assert all(answer_in(operation, status) for status in operation["responses"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_only_what_has_a_request_id_conflicts(document: Any, name: str) -> None:
    assert ("409" in operation_in(document, name)["responses"]) == OPERATIONS[name].is_once


def test_every_code_has_a_status_the_one_of_the_protocols_page() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows(PAGE.section("Errors"))}

    assert documented.keys() == STATUSES.keys() == _codes()
    assert all(str(status) in documented[code] for code, status in STATUSES.items())


def answer_in(operation: Mapping[str, Any], status: str) -> Any:
    return operation["responses"][status]["content"]["application/json"]["schema"]


def _codes() -> set[str]:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    return {one.code for one in classes if issubclass(one, errors.ChatstateError)}
