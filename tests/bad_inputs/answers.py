"""What the server answers, and what a row of the tables says it should."""

import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """The server's answer to a message, reduced to what the tables speak of.

    A kind is ``Chunk``, ``Pong``, ``Defect``, ``Success``, ``Die``, ``Interrupt`` or the tag of a
    typed error.
    """

    kinds: tuple[str, ...] = ()
    close_code: int | None = None
    """Of the WebSocket; None while it stays open, and over HTTP."""

    status: int = 200
    """Over HTTP; 200 on a WebSocket."""


def kinds(*names: str) -> Answer:
    """An answer of these kinds, after which the connection stays open."""
    return Answer(names)


def closed(code: int, *names: str) -> Answer:
    """Such an answer, after which the WebSocket is closed."""
    return Answer(names, close_code=code)


def status(code: int) -> Answer:
    """An HTTP error, whose body is text."""
    return Answer(status=code)


NOTHING = kinds()
SUCCESS = kinds("Success")
PULLED = kinds("Chunk", "Success")
DIE = kinds("Die")
REFUSED = kinds("UnknownError")
DEFECT = kinds("Defect")


def kind_of(message: dict[str, Any], request_id: Any) -> str:
    """The kind of one message; an answer to another request than ``request_id`` says so."""
    answered = message.get("requestId")
    other = "" if answered in (None, request_id) else f" of {answered}"
    return f"{_kind_of(message)}{other}"


def error_of(message: dict[str, Any]) -> dict[str, Any]:
    """The typed error of an Exit."""
    error: dict[str, Any] = _cause(message)["error"]
    return error


def parse(text: str) -> Any:
    """Read JSON as strictly as a client does."""
    return json.loads(text, parse_constant=_refuse, parse_int=_read_integer)


def _kind_of(message: dict[str, Any]) -> str:
    if message["_tag"] != "Exit":
        return str(message["_tag"])
    if message["exit"]["_tag"] == "Success":
        return "Success"
    cause = _cause(message)
    return str(cause["error"]["_tag"] if cause["_tag"] == "Fail" else cause["_tag"])


def _cause(message: dict[str, Any]) -> dict[str, Any]:
    cause: Any = message["exit"]["cause"]
    # clients of the next generation, whose ids are numbers, are told causes as a list
    if isinstance(message["requestId"], int):
        (cause,) = cause
    return dict(cause)


def _read_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float(digits)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
