"""B27 and B54: the body of a request, its headers, and the answer's."""

import gzip
from collections.abc import Iterator

import pytest

from tests.bad_inputs.answers import DEFECT, NOTHING, SUCCESS, Answer, status
from tests.bad_inputs.messages import CANARY, PING, event, push, sync_query
from tests.bad_inputs.peers import HEADERS, JSON_TYPE, HttpPeer, new_store_id
from tests.bad_inputs.raw_http import RawConnection, request_head
from tests.bad_inputs.site_under_test import SiteUnderTest

MAX_BODY = 1_048_576
PAGE = "Origin: http://localhost:5173"
CLIENT_HEADERS = "content-type, x-livestore-store-id, b3, traceparent, authorization"


@pytest.fixture
def peer(site: SiteUnderTest) -> Iterator[HttpPeer]:
    """A client of a store of its own, with the events 1 and 2 in it."""
    with HttpPeer(site, new_store_id()) as peer:
        peer.push_two()
        yield peer


BOMB = gzip.compress(b" " * 50_000_000)


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        pytest.param(PING.ljust(MAX_BODY).encode(), (JSON_TYPE,), Answer(("Pong",)), id="of 1 MiB"),
        pytest.param(
            PING.ljust(MAX_BODY + 1).encode(), (JSON_TYPE,), status(413), id="a byte more"
        ),
        pytest.param(b" " * 3_000_000, (JSON_TYPE,), status(413), id="of 3 MB"),
        pytest.param(BOMB, (JSON_TYPE, "Content-Encoding: gzip"), status(415), id="a gzip bomb"),
        pytest.param(b"{}", (JSON_TYPE, "Content-Encoding: br"), status(415), id="br"),
        pytest.param(b"{}", ("Content-Type: text/plain",), status(415), id="text/plain"),
        pytest.param(b"{}", ("Content-Type: application/jsonp",), status(415), id="not quite JSON"),
        pytest.param(
            b"{}", ("Content-Type: multipart/form-data; boundary=x",), status(415), id="a form"
        ),
        pytest.param(b"{}", ("Content-Type: \xff;\xff",), status(415), id="no type at all"),
        pytest.param(b"{}", (), status(415), id="without a type"),
        pytest.param(
            PING.encode(),
            ("Content-Type: Application/JSON; charset=utf-8",),
            Answer(("Pong",)),
            id="JSON in capitals, with a charset",
        ),
        pytest.param(b"", (JSON_TYPE,), DEFECT, id="empty"),
        pytest.param(b"[]", (JSON_TYPE,), NOTHING, id="an empty array"),
        pytest.param(b"\x00" * 1_000, (JSON_TYPE,), DEFECT, id="zeros"),
    ],
)
def test_b54_a_body(
    peer: HttpPeer, body: bytes, headers: tuple[str, ...], expected: Answer
) -> None:
    with peer.site.writes_nothing():
        answered = peer.post(body, (*headers, f"Content-Length: {len(body)}"))

    assert answered == expected
    peer.push(3, 2)


def test_b54_chunks_without_an_end_are_refused_when_they_are_too_many(peer: HttpPeer) -> None:
    target = f"/?{sync_query(peer.store_id, 'http')}"
    headers = (JSON_TYPE, "Transfer-Encoding: chunked", *HEADERS)
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    with RawConnection(peer.site.port) as connection, peer.site.writes_nothing():
        connection.send(request_head("POST", target, peer.site.port, headers) + chunk * 17)
        assert connection.read_answer().status == 413

    peer.push(3, 2)


def test_b54_a_body_that_ends_early_is_not_carried_out(peer: HttpPeer) -> None:
    target = f"/?{sync_query(peer.store_id, 'http')}"
    body = peer.fill(push(event())).encode()
    headers = (JSON_TYPE, f"Content-Length: {len(body) + 1}", *HEADERS)

    with peer.site.writes_nothing():
        with RawConnection(peer.site.port) as connection:
            connection.send(request_head("POST", target, peer.site.port, headers) + body)
        assert peer.exchange(push(), SUCCESS) == SUCCESS

    peer.push(3, 2)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:5173", True),
        ("https://evil.example", False),
        ("https://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("null", False),
        ("", False),
        ("x\ty", False),
    ],
)
def test_b27_a_preflight_is_answered_for_allowed_origins(
    site: SiteUnderTest, origin: str, allowed: bool
) -> None:
    asked = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-evil, *")
    target = f"/?{sync_query('a', 'http', payload=None)}"

    answer = site.ask("OPTIONS", target, headers=(f"Origin: {origin}", *asked))

    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-headers") == CLIENT_HEADERS
    assert answer.header("access-control-allow-methods") == "POST, OPTIONS"
    assert answer.header("access-control-allow-origin") == (origin if allowed else None)
    assert answer.header("access-control-allow-credentials") is None
    assert "Origin" in (answer.header("vary") or "")


def test_b27_a_line_break_in_the_asked_headers_is_not_reflected(site: SiteUnderTest) -> None:
    asked = b"Access-Control-Request-Headers: x\ny: z"
    target = f"/?{sync_query('a', 'http', payload=None)}"

    answer = site.ask("OPTIONS", target, headers=(PAGE, asked))

    assert answer.status in (204, 400)
    assert b"y" not in (answer.header("access-control-allow-headers") or "").encode()
    assert answer.header("y") is None


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "expected"),
    [
        ("POST", sync_query("a", "http"), (JSON_TYPE,), b'{"_tag":"Ping"}', 200),
        ("POST", sync_query("a", "http", payload="{}"), (JSON_TYPE,), b"{}", 400),
        ("POST", sync_query("a", "http"), (), b"{}", 415),
        ("POST", sync_query("a", "http"), (JSON_TYPE,), b" " * (MAX_BODY + 1), 413),
        ("PUT", sync_query("a", "http"), (), b"{}", 405),
        ("POST", sync_query("a", "ws"), (), b"{}", 426),
    ],
)
def test_b27_every_sync_answer_names_the_origin(
    site: SiteUnderTest,
    method: str,
    target: str,
    headers: tuple[str, ...],
    body: bytes,
    expected: int,
) -> None:
    answer = site.ask(method, f"/?{target}", headers=(PAGE, *headers), body=body)

    assert answer.status == expected
    assert answer.header("access-control-allow-origin") == "http://localhost:5173"
    assert CANARY not in str(answer)
