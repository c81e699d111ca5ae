"""What commands that reach a store in either way have in common: here, or on a server."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from livesync.client import Client


def add_client_options(parser: CommandParser) -> None:
    """The options that say where the store is."""
    parser.add_argument(
        "--url", help="of a server: ws://, wss://, http:// or https://; without it, the database"
    )
    parser.add_argument(
        "--payload", metavar="JSON", help='what the server validates, such as {"authToken": ...}'
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="sent to the server, such as 'Authorization: Bearer ...'; may be repeated",
    )


def make_client(store_id: str, options: dict[str, Any], **more: Any) -> Client:
    """The client that the options ask for.

    Args:
        store_id: the store.
        options: of the command.
        more: further arguments of the client.

    Raises:
        CommandError: an option cannot be meant.
    """
    payload = options["payload"] and _json(options["payload"])
    headers = dict(_header(text) for text in options["header"])
    try:
        return Client(store_id, options["url"], payload=payload, headers=headers, **more)
    except ValueError as error:
        raise CommandError(f"--{error}") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f"--payload is no JSON: {error}") from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError("--header needs a name and a value: 'Authorization: Bearer ...'")
    return name.strip(), value.strip()
