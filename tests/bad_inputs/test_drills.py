"""What only exercises the HTTP server and the WebSocket library: run when one of them changes."""

import base64
import zlib
from collections.abc import Iterator

import pytest

from tests.bad_inputs.answers import closed
from tests.bad_inputs.messages import PING, pull, sync_query
from tests.bad_inputs.peers import HEADERS, JSON_TYPE, HttpPeer, SocketPeer, new_store_id
from tests.bad_inputs.raw_http import RawConnection, request_head
from tests.bad_inputs.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HANDSHAKE,
    TEXT,
    Frame,
    RawWebSocket,
    frame_bytes,
)
from tests.bad_inputs.raw_websocket import (
    PING as PING_FRAME,
)
from tests.bad_inputs.site_under_test import SiteUnderTest

pytestmark = pytest.mark.drill

HTTP = f"/?{sync_query('a', 'http')}"
WS = f"/?{sync_query('a', 'ws')}"
UPGRADE, CONNECTION, VERSION, KEY = HANDSHAKE
BODY = PING.encode()
LENGTH = f"Content-Length: {len(BODY)}"
PONG = b'[{"_tag":"Pong"}]'


def key(size: int) -> str:
    """A handshake's key of that many bytes."""
    return f"Sec-WebSocket-Key: {base64.b64encode(b'x' * size).decode()}"


@pytest.fixture(autouse=True)
def _next_works(site: SiteUnderTest) -> Iterator[None]:
    yield
    with SocketPeer(site, new_store_id()) as peer:
        peer.push_two()


@pytest.fixture(scope="session")
def cookie(site: SiteUnderTest) -> str:
    """Of somebody who may use the admin."""
    return site.session_cookie()


@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        pytest.param(
            (UPGRADE, CONNECTION, "Sec-WebSocket-Version: 8", KEY), {400, 426}, id="version 8"
        ),
        pytest.param((UPGRADE, CONNECTION, KEY), {400, 426}, id="no version"),
        pytest.param((UPGRADE, CONNECTION, VERSION), {400}, id="no key"),
        pytest.param((UPGRADE, CONNECTION, VERSION, key(15)), {400}, id="a short key"),
        pytest.param((UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key: ?"), {400}, id="no base64"),
        pytest.param((UPGRADE, CONNECTION, VERSION, KEY, KEY), {400}, id="two keys"),
        pytest.param((UPGRADE, VERSION, KEY), {426}, id="no connection header"),
        pytest.param(("Upgrade: h2c", CONNECTION, VERSION, KEY), {426}, id="another upgrade"),
    ],
)
def test_b23_a_handshake_that_is_none(
    site: SiteUnderTest, headers: tuple[str, ...], statuses: set[int]
) -> None:
    with site.writes_nothing():
        assert site.ask("GET", WS, headers=headers).status in statuses


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(("Sec-WebSocket-Protocol: x,y",), id="subprotocols"),
        pytest.param(("Sec-WebSocket-Extensions: x-a; b=1, x-c",), id="extensions"),
        pytest.param(tuple(f"X-{number}: {number}" for number in range(100)), id="100 headers"),
    ],
)
def test_b24_what_a_handshake_offers_is_not_taken_up(
    site: SiteUnderTest, extra: tuple[str, ...]
) -> None:
    with RawWebSocket(site.port, WS, (*HANDSHAKE, *extra)) as opened:
        assert opened.handshake.header("sec-websocket-protocol") is None
        assert opened.handshake.header("sec-websocket-extensions") is None
        opened.send_text(PING)
        assert opened.receive().opcode == TEXT


@pytest.mark.parametrize(("target", "headers"), [(WS, HANDSHAKE), (HTTP, (JSON_TYPE,))])
def test_b24_a_head_of_64_kib_is_refused(
    site: SiteUnderTest, target: str, headers: tuple[str, ...]
) -> None:
    large = f"X-Large: {'x' * 65_536}"

    assert site.ask("GET", target, headers=(*headers, large)).status == 431


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((LENGTH, "Transfer-Encoding: chunked"), id="a length and chunks"),
        pytest.param((LENGTH, "Content-Length: 0"), id="two lengths"),
        pytest.param((f"{LENGTH}, 0",), id="two lengths in one"),
        pytest.param(("Content-Length: -1",), id="a negative length"),
        pytest.param(("Content-Length: +14",), id="a length with a sign"),
        pytest.param(("Content-Length: 0x0e",), id="a hexadecimal length"),
        pytest.param(("Transfer-Encoding: xchunked",), id="another coding"),
        pytest.param(("Transfer-Encoding: chunked, identity",), id="chunks inside"),
        pytest.param(("Transfer-Encoding : chunked",), id="a blank in a name"),
        pytest.param((b"X: a\nTransfer-Encoding: chunked",), id="a bare line feed"),
        pytest.param((b"X: a\r\n folded",), id="a folded line"),
        pytest.param((b"X: a\x00b",), id="NUL"),
    ],
)
def test_b25_two_readings_of_one_request_are_none(
    site: SiteUnderTest, headers: tuple[str | bytes, ...]
) -> None:
    hidden = request_head("GET", "/hidden", site.port)
    head = request_head("POST", HTTP, site.port, (JSON_TYPE, *headers))

    with RawConnection(site.port) as connection, site.writes_nothing():
        connection.send(head + BODY + hidden)
        assert connection.read_answer().status == 400
        assert connection.reader.read() == b""


def test_b26_what_a_stranger_says_about_the_peer_is_ignored(production_site: SiteUnderTest) -> None:
    claims = (
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 1",
        "Forwarded: for=203.0.113.9;host=evil.example;proto=https",
    )
    start = len(production_site.process.log)

    answer = production_site.ask("POST", HTTP, headers=(*claims, JSON_TYPE), body=BODY)

    assert answer.status == 403  # no Origin, as without the claims
    assert "evil.example" not in str(answer)
    production_site.ask("GET", "/healthz")
    assert "203.0.113.9" not in production_site.process.log[start:]


@pytest.mark.parametrize("length", [2**63 - 1, 2**62, 2**31])
def test_b33_a_length_that_nobody_sends_is_too_big(site: SiteUnderTest, length: int) -> None:
    check_closed(site, frame_bytes(b"", declared_length=length), {1009})


def test_b33_a_length_above_the_largest_is_no_length(site: SiteUnderTest) -> None:
    check_closed(site, frame_bytes(b"", declared_length=2**63), {1002, 1009})


def test_b34_a_bomb_is_not_unpacked(site: SiteUnderTest) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    mebibyte = b" " * 1_048_576
    bomb = b"".join(packer.compress(mebibyte) for _ in range(512)) + packer.flush()

    check_closed(site, frame_bytes(bomb, rsv=4), {1002})


@pytest.mark.parametrize(
    "sent",
    [
        *[
            pytest.param(frame_bytes(BODY, rsv=rsv), id=f"reserved bits {rsv}")
            for rsv in (1, 2, 4, 7)
        ],
        *[
            pytest.param(frame_bytes(BODY, opcode=opcode), id=f"opcode {opcode}")
            for opcode in (3, 7, 11, 15)
        ],
        pytest.param(frame_bytes(BODY, mask=False), id="not masked"),
        pytest.param(frame_bytes(b"x" * 126, opcode=PING_FRAME), id="a long ping"),
        pytest.param(frame_bytes(b"", opcode=PING_FRAME, fin=False), id="a ping in fragments"),
        pytest.param(frame_bytes(BODY, opcode=CONTINUATION), id="a continuation of nothing"),
        pytest.param(frame_bytes(b"a", fin=False) + frame_bytes(b"b"), id="two starts"),
        pytest.param(
            frame_bytes(b"a", fin=False) + frame_bytes(b"b", opcode=BINARY), id="two kinds"
        ),
        pytest.param(frame_bytes(b"\x03", opcode=CLOSE), id="a close of a byte"),
        *[
            pytest.param(frame_bytes(code.to_bytes(2), opcode=CLOSE), id=f"close {code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
        ],
    ],
)
def test_b35_what_the_protocol_forbids_ends_with_1002(site: SiteUnderTest, sent: bytes) -> None:
    check_closed(site, sent, {1002})


def test_b35_a_close_whose_reason_is_no_text_ends_with_1007_or_1002(site: SiteUnderTest) -> None:
    check_closed(site, frame_bytes(b"\x03\xe8\xff", opcode=CLOSE), {1002, 1007})


def test_b54_a_body_that_never_ends_is_timed_out(site: SiteUnderTest) -> None:
    headers = (JSON_TYPE, "Transfer-Encoding: chunked", *HEADERS)

    with RawConnection(site.port) as connection:
        connection.send(request_head("POST", HTTP, site.port, headers) + b"1\r\n{\r\n")
        assert connection.read_answer().status == 408


@pytest.mark.parametrize(
    "header",
    [
        "Accept: application/xml",
        "Accept: ?",
        "Range: bytes=0-3",
        "If-Match: x",
        "Accept-Encoding: gzip",
    ],
)
def test_b97_what_a_client_would_rather_have_is_ignored(site: SiteUnderTest, header: str) -> None:
    answer = site.ask("POST", HTTP, headers=(JSON_TYPE, header), body=BODY)

    assert (answer.status, answer.body) == (200, PONG)
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-encoding") is None


def test_b97_who_expects_100_is_told_to_go_on(site: SiteUnderTest) -> None:
    headers = (JSON_TYPE, LENGTH, "Expect: 100-continue")

    with RawConnection(site.port) as connection:
        connection.send(request_head("POST", HTTP, site.port, headers))
        assert read_line(connection) == b"HTTP/1.1 100 Continue\r\n"
        assert read_line(connection) == b"\r\n"
        connection.send(BODY)
        assert connection.read_answer().body == PONG


def test_b97_http_2_is_not_spoken(site: SiteUnderTest) -> None:
    with RawConnection(site.port) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert connection.read_answer().status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/admin/..;/x",
        "//admin",
        "/admin/%2e%2e/x",
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/static//etc/passwd",
        "/api/../admin/",
    ],
)
def test_b98_a_crooked_path_leads_nowhere(site: SiteUnderTest, path: str, cookie: str) -> None:
    with site.writes_nothing():
        answer = site.ask("GET", path, headers=(f"Cookie: {cookie}",))
        if answer.status == 301:  # to the same with a slash behind
            target = answer.header("location") or ""
            answer = site.ask("GET", target, headers=(f"Cookie: {cookie}",))

    assert answer.status == 404
    assert b"SECRET_KEY" not in answer.body


def check_closed(site: SiteUnderTest, sent: bytes, codes: set[int]) -> None:
    """Send frames on an open socket and check that it is closed with one of ``codes``."""
    with SocketPeer(site, new_store_id()) as peer:
        peer.push_two()
        peer.socket.send(sent)
        frame: Frame = peer.socket.receive()
        assert (frame.opcode, frame.close_code in codes) == (CLOSE, True), frame
    with HttpPeer(site, peer.store_id) as other:
        assert other.exchange(pull(), closed(0)).kinds == ("Chunk", "Success")


def read_line(connection: RawConnection) -> bytes:
    """One line of an answer's head."""
    return connection.reader.readline()
