"""A client of one store over one connection, for messages that no client would send."""

import itertools
import json
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

from groundwork.strict_json import JsonError
from livesync.protocol import records
from tests import rpc_client
from tests.bad_inputs.answers import SUCCESS, Answer, kind_of, parse
from tests.bad_inputs.messages import (
    BACKEND,
    CANARY,
    GROUP,
    OTHER_GROUP,
    PAYLOAD,
    PING,
    STORE,
    ack,
    event,
    push,
    sync_query,
)
from tests.bad_inputs.raw_http import HttpAnswer, RawConnection, request_head
from tests.bad_inputs.raw_websocket import BINARY, CLOSE, HANDSHAKE, RawWebSocket, frame_bytes
from tests.bad_inputs.site_under_test import SiteUnderTest, StoreRow

HEADERS = (
    f"Authorization: Bearer {CANARY}",
    f"Cookie: session={CANARY}",
    f"traceparent: 00-{CANARY}-01",
)
OTHER_GROUPS = {"SyncWsRpc": "SyncHttpRpc", "SyncHttpRpc": "SyncWsRpc", "SyncDoRpc": "SyncWsRpc"}
PONG = '{"_tag":"Pong"}'
CHUNK_START = '{"_tag":"Chunk"'
JSON_TYPE = "Content-Type: application/json"
RPC_TYPE = f"Content-Type: {rpc_client.MEDIA_TYPE}"

_numbers = itertools.count(1)


class Peer(ABC):
    """A connection to a store.

    Args:
        site: the server.
        store_id: of the URL.
        payload: of the URL; None: it has none. The key is in a header as well.
    """

    transport: str
    group: str

    def __init__(
        self, site: SiteUnderTest, store_id: str, *, payload: str | None = PAYLOAD
    ) -> None:
        self.site = site
        self.store_id = store_id
        self.target = f"/?{sync_query(store_id, self.transport, payload=payload)}"
        self.received: list[dict[str, Any]] = []
        """The messages of the last exchange."""
        self.text = ""
        """The same as they came."""

    @abstractmethod
    def exchange(self, message: str | bytes, expected: Answer, *, id: Any = "7") -> Answer:
        """Send a message and return what was answered.

        Args:
            message: text, or bytes that are sent as they are.
            expected: says for how many messages to wait. What comes beyond, at once, is returned
                as well.
            id: of the request; answers to others are marked.
        """

    @abstractmethod
    def close(self) -> None:
        """End the connection."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the server has left the connection open."""

    @property
    def row(self) -> StoreRow:
        """The store's row in the database."""
        return self.site.store(self.store_id)

    def push(self, seq_num: int, parent: int, **fields: str | None) -> None:
        """Push one valid event."""
        answered = self.exchange(push(event(seq_num, parent, **fields)), SUCCESS)
        assert answered == SUCCESS, self.text

    def push_two(self) -> None:
        """Push the events 1 and 2, as every row finds them."""
        answered = self.exchange(push(event(1, 0), event(2, 1)), SUCCESS)
        assert answered == SUCCESS, self.text

    def fill(self, message: str) -> str:
        """Put in what depends on this connection."""
        quoted = json.dumps(self.store_id)[1:-1]
        filled = message.replace(STORE, quoted).replace(GROUP, self.group)
        filled = filled.replace(OTHER_GROUP, OTHER_GROUPS[self.group])
        return filled.replace(BACKEND, self.row.backend_id) if BACKEND in filled else filled

    def another(self) -> "Peer":
        """A fresh connection to the same store."""
        return type(self)(self.site, self.store_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _note(self, texts: list[str], id: Any) -> tuple[str, ...]:
        self.text = "\n".join(texts)
        self.received = [message for text in texts for message in _as_list(parse(text))]
        return tuple(kind_of(message, id) for message in self.received)


class SocketPeer(Peer):
    """Over WebSocket."""

    transport = "ws"
    group = "SyncWsRpc"

    def __init__(
        self, site: SiteUnderTest, store_id: str, *, payload: str | None = PAYLOAD
    ) -> None:
        super().__init__(site, store_id, payload=payload)
        self.socket = RawWebSocket(site.port, self.target, (*HANDSHAKE, *HEADERS))
        self._close_code: int | None = None

    @property
    def is_open(self) -> bool:
        return self._close_code is None

    def exchange(self, message: str | bytes, expected: Answer, *, id: Any = "7") -> Answer:
        if isinstance(message, str):
            self.socket.send_text(self.fill(message))
        else:
            self.socket.send(frame_bytes(message, opcode=BINARY))
        return self.observe(expected, id=id)

    def observe(self, expected: Answer, *, id: Any = "7") -> Answer:
        """What the server sends, and whether the connection stays open."""
        texts = [text for _ in expected.kinds if (text := self._receive())]
        # whatever the server answers at once, a close included, comes before this pong
        self.socket.send_text(PING)
        while (text := self._receive()) and text != PONG:
            texts.append(text)
        return Answer(self._note(texts, id), self._close_code)

    def close(self) -> None:
        self.socket.close()

    def _receive(self) -> str | None:
        if not self.is_open:
            return None
        frame = self.socket.receive()
        if frame.opcode == CLOSE:
            self._close_code = frame.close_code
            return None
        text = frame.payload.decode()
        if text.startswith(CHUNK_START):
            self.socket.send_text(ack(json.dumps(parse(text)["requestId"])))
        return text


class HttpPeer(Peer):
    """Over HTTP; all requests go over one connection, as long as the server keeps it."""

    transport = "http"
    group = "SyncHttpRpc"

    def __init__(
        self, site: SiteUnderTest, store_id: str, *, payload: str | None = PAYLOAD
    ) -> None:
        super().__init__(site, store_id, payload=payload)
        self._connection: RawConnection | None = None

    @property
    def is_open(self) -> bool:
        return True

    def exchange(self, message: str | bytes, expected: Answer, *, id: Any = "7") -> Answer:
        body = self.fill(message).encode() if isinstance(message, str) else message
        return self.post(body, (JSON_TYPE, f"Content-Length: {len(body)}"), id=id)

    def post(self, body: bytes, headers: tuple[str, ...], *, id: Any = "7") -> Answer:
        """Send a body as it is, and return what was answered."""
        if self._connection is None:
            self._connection = RawConnection(self.site.port)
        head = request_head("POST", self.target, self.site.port, (*HEADERS, *headers))
        self._connection.send(head + body)
        answer = self._connection.read_answer()
        self.text = self.text_of(answer)
        if answer.status != 200 or answer.header("connection") == "close":
            self.close()
        if answer.status != 200:
            return Answer(status=answer.status)
        return Answer(self._note([self.text], id))

    def text_of(self, answer: HttpAnswer) -> str:
        """The answer as JSON, or as the text that says what is wrong."""
        return answer.text

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class RpcPeer(HttpPeer):
    """By RPC over HTTP. What is no JSON has no other form: it is sent as it is."""

    group = "SyncDoRpc"

    def __init__(
        self, site: SiteUnderTest, store_id: str, *, payload: str | None = PAYLOAD
    ) -> None:
        super().__init__(site, store_id, payload=payload)
        self.target = rpc_client.PATH + self.target.removeprefix("/")

    def exchange(self, message: str | bytes, expected: Answer, *, id: Any = "7") -> Answer:
        body = message if isinstance(message, bytes) else self._encode(self.fill(message))
        return self.post(body, (RPC_TYPE, f"Content-Length: {len(body)}"), id=id)

    def text_of(self, answer: HttpAnswer) -> str:
        if answer.status != 200:
            return answer.text
        texts = [
            records.to_json(data, max_chars=10_000_000, max_depth=1_000)
            for data in rpc_client.split(answer.body)
        ]
        return f"[{','.join(text[1:-1] for text in texts)}]"

    def _encode(self, text: str) -> bytes:
        try:
            return records.from_json(text)
        except JsonError:
            return text.encode()


URL_TRANSPORTS = ("ws", "http")
PEERS: dict[str, type[Peer]] = {"ws": SocketPeer, "http": HttpPeer, "rpc": RpcPeer}


def new_store_id() -> str:
    """The id of a store that nobody has used."""
    return f"store-{next(_numbers)}"


def _as_list(message: Any) -> list[dict[str, Any]]:
    return message if isinstance(message, list) else [message]
