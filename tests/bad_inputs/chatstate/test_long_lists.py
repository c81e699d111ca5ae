"""B91: a list of 100,000 entries, within the memory that ``site`` allows to any bad input."""

import json

from tests.bad_inputs.chatstate.chat_socket import ChatSocket
from tests.bad_inputs.site_under_test import SiteUnderTest
from tests.chat_conformance.subjects.sites import Tokens
from tests.conftest import Figure

OPERATIONS = 1_000
MAX_FRAME_BYTES = 1_048_576
LONG = 200
"""Characters in an item besides its number."""


def test_b91_a_long_list_comes_in_several_frames(
    site: SiteUnderTest, tokens: Tokens, figure: Figure
) -> None:
    count = figure(usually=10_000, drill=100_000)
    _, token = tokens.take()
    with ChatSocket(site.port, token) as socket:
        for first in range(0, count, OPERATIONS):
            append_many(socket, range(first, first + OPERATIONS))

        socket.send_text('[{"id":1,"op":"getList","key":"list"}]')
        items: list[str] = []
        sizes = []
        more = True
        while more:
            payload = socket.receive().payload
            sizes.append(len(payload))
            (answer,) = json.loads(payload)
            items += answer["items"]
            more = answer["more"]

    assert items == [item(number) for number in range(count)]
    assert len(sizes) > 1
    assert max(sizes) <= MAX_FRAME_BYTES


def append_many(socket: ChatSocket, numbers: range) -> None:
    """Append as many items as there are numbers, by one frame."""
    operations = [
        {
            "id": number,
            "op": "appendToList",
            "key": "list",
            "value": item(number),
            "requestId": f"{number}",
        }
        for number in numbers
    ]
    answers = socket.exchange(json.dumps(operations))
    assert len(answers) == len(numbers)
    assert not any("error" in answer for answer in answers)


def item(number: int) -> str:
    """One of the list's items."""
    return f"{number}{'x' * LONG}"
