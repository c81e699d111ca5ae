"""The operations as OpenAPI describes them, made of their declarations.

``docs/chat-protocol.md`` says the same to people.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from django.urls import include, path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from chatstate.conf import get_settings
from chatstate.protocol.operations import (
    MAX_COUNT,
    OPERATIONS,
    OnThread,
    Operation,
    name_of,
)
from chatstate.transports.http_answers import JSON, STATUSES
from chatstate.transports.schemas import (
    ANY,
    BOOLEAN,
    Document,
    an_object,
    answer_of,
    members_of,
)

_MEANINGS: Mapping[str, str] = {
    "malformed": "the body is not JSON, or not of the shape above",
    "invalid": "a member is missing, of a wrong type or out of bounds; `field` names it",
    "unknown_operation": "there is no such operation",
    "unknown_shard": "there is no shard of that name",
    "unauthorized": "no token, an unknown, expired or revoked one",
    "forbidden": "the token has no right to this operation",
    "conflict": "the request id was used for another operation",
    "too_large": "the body, a value or the number of operations is above its limit",
    "busy": "more waits to be stored than may wait; nothing was done",
    "frozen": "the shard is being moved; nothing was done",
    "unavailable": "the database does not answer; whether it was done is unknown",
    "internal": "a fault of the server",
}


@lru_cache(maxsize=1)
def describe(prefix: str) -> str:
    """The description of the views in ``chatstate.transports.urls``, as JSON.

    Args:
        prefix: below what they are mounted, without the first slash.
    """
    # not the whole site: nobody asked for what else there is
    patterns = [path(prefix, include("chatstate.transports.urls"))]
    generator = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call] # it declares none
    return json.dumps(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call] # ditto


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # it declares none
    """Tells drf-spectacular what ``BearerAuthentication`` wants."""

    target_class = "chatstate.transports.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> Document:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "made by manage.py create_chat_token; bound to one namespace",
        }


class OperationSchema(AutoSchema):
    """Describes the view of one operation."""

    def get_operation(
        self,
        path: str,
        path_regex: str,
        path_prefix: str,
        method: str,
        registry: ComponentRegistry,
    ) -> Document:
        self.registry = registry
        operation: type[Operation] = self.view.operation  # type: ignore[attr-defined] # OperationView
        summary = inspect.cleandoc(operation.__doc__ or "").partition("\n")[0]
        body = _register(registry, operation.__name__, members_of(operation))
        return {
            "operationId": name_of(operation),
            "summary": summary,
            "description": f"Needs a token with the right to {operation.right}.",
            "tags": [_tag(operation)],
            "security": self.get_auth(),
            "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
            "responses": {
                "200": _ok("what came of it", answer_of(operation)),
                **_errors(registry, _codes_of(operation)),
            },
        }


class BatchSchema(AutoSchema):
    """Describes the view of batches."""

    def get_operation(
        self,
        path: str,
        path_regex: str,
        path_prefix: str,
        method: str,
        registry: ComponentRegistry,
    ) -> Document:
        self.registry = registry
        asked = an_object(
            id={"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
            op={"type": "string", "enum": list(OPERATIONS)},
        )
        told = {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "integer"},
                "value": {"description": "as the operation alone answers"},
                "items": {"type": "array", "items": ANY},
                "more": {**BOOLEAN, "description": "with items: always false"},
                "error": _error_of(registry),
            },
        }
        most = get_settings().operations_per_frame
        return {
            "operationId": "batch",
            "summary": "Carry out many operations.",
            "description": (
                "Each object has the members of its operation besides `id` and `op`. Those on one "
                "shard take effect in their order, by one commit. Each has its own answer, in the "
                "same order, with `value`, `items` or `error`; one that fails harms no other."
            ),
            "tags": ["batch"],
            "security": self.get_auth(),
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {
                        "schema": {
                            "type": "array",
                            "maxItems": most,
                            "items": {**asked, "additionalProperties": True},
                        }
                    }
                },
            },
            "responses": {
                "200": _ok("an answer for each operation", {"type": "array", "items": told}),
                **_errors(
                    registry, ["malformed", "unauthorized", "too_large", "unavailable", "internal"]
                ),
            },
        }


def _tag(operation: type[Operation]) -> str:
    name = name_of(operation)
    if "ubscri" in name:
        return "subscriptions"
    if issubclass(operation, OnThread):
        return "locks" if name.endswith("Lock") else "queues"
    return "lists" if name.endswith("List") else "cache"


def _codes_of(operation: type[Operation]) -> Sequence[str]:
    without = {"unknown_operation"} if operation.is_once else {"unknown_operation", "conflict"}
    return [code for code in STATUSES if code not in without]


def _errors(registry: ComponentRegistry, codes: Sequence[str]) -> Document:
    """A response for each status of the codes, and for a body that is not JSON by its type."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUSES[code], []).append(f"`{code}`: {_MEANINGS[code]}")
    by_status[415] = ["`malformed`: the body is compressed, or its type is not application/json"]
    return {
        str(status): _failed(registry, status, "; ".join(meanings))
        for status, meanings in sorted(by_status.items())
    }


def _failed(registry: ComponentRegistry, status: int, description: str) -> Document:
    content = {JSON: {"schema": an_object(error=_error_of(registry))}}
    headers = {401: "WWW-Authenticate", 503: "Retry-After"}
    response: Document = {"description": description, "content": content}
    if status in headers:
        response["headers"] = {headers[status]: {"schema": {"type": "string"}}}
    return response


def _ok(description: str, schema: Document) -> Document:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _error_of(registry: ComponentRegistry) -> Document:
    schema = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "enum": list(STATUSES)},
            "message": {"type": "string", "description": "for people"},
            "field": {"type": "string", "description": "the member at fault"},
        },
    }
    return _register(registry, "Error", schema)


def _register(registry: ComponentRegistry, name: str, schema: Document) -> Document:
    component = ResolvedComponent(  # type: ignore[no-untyped-call] # it declares none
        name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
    )
    registry.register_on_missing(component)
    return component.ref
