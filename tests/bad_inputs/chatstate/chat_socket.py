"""A bot's socket for frames that no bot sends."""

import itertools
import json
from typing import Any

from tests.bad_inputs.raw_websocket import CLOSE, HANDSHAKE, Frame, RawWebSocket
from tests.chat_conformance.subjects.socket import PATH

_MARKERS = itertools.count(2**52)


class ChatSocket(RawWebSocket):
    """A socket that has said who it is.

    Args:
        port: of the site.
        token: None: it says nothing yet.
    """

    def __init__(self, port: int, token: str | None) -> None:
        super().__init__(port, PATH, HANDSHAKE)
        if token is not None:
            self.send_text(json.dumps({"token": token}))
            self.greeting = self.receive_json()
            assert "namespace" in self.greeting, self.greeting

    def receive_json(self) -> Any:
        """The next frame, which has to be a message."""
        frame = self.receive()
        assert frame.opcode != CLOSE, frame
        return json.loads(frame.payload)

    def receive_close(self) -> Frame:
        """The next frame, which has to be a close."""
        frame = self.receive()
        assert frame.opcode == CLOSE, frame
        return frame

    def exchange(self, text: str) -> list[dict[str, Any]]:
        """Send a frame; return all answers to it, those outside of an array as well."""
        self.send_text(text)
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        """What is answered to all that was sent before."""
        # whatever goes through the writer is answered in its order; a get may overtake it
        marker = next(_MARKERS)
        self.send_text(f'[{{"id":{marker},"op":"queueDepth","threadId":"marker"}}]')
        found: list[dict[str, Any]] = []
        while True:
            frame = self.receive_json()
            for answer in frame if isinstance(frame, list) else [frame]:
                if answer.get("id") == marker:
                    return found
                found.append(answer)

    def do(self, op: str, **members: Any) -> dict[str, Any]:
        """The answer to one operation."""
        (answer,) = self.exchange(json.dumps([{"id": 1, "op": op, **members}]))
        return answer
