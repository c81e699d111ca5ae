"""Keys of an issuer, fetched when they are needed and kept when it does not answer."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from livesync.auth.json_fetch import MAX_BYTES
from livesync.auth.key_sets import KEPT_FOR_S, RETRY_AFTER_S, KeySet, is_trustworthy
from livesync.auth.keys import Wanted
from livesync.protocol.errors import AuthUnavailableError
from tests.certificates import NAME, serving, write_certificate
from tests.clients import DEADLINE_S
from tests.issuers import Issuer

OLD = Issuer("ES256", key_id="old")
NEW = Issuer("ES256", key_id="new", name="new")
WANTS_OLD, WANTS_NEW = Wanted("ES256", "old"), Wanted("ES256", "new")
MAX_AGE_S = 600.0


class Publisher:
    """Serves what the test says, and counts who asks."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.body = b""
        self.status = 200
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answer: Callable[[Any], None] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/keys"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, *issuers: Issuer) -> None:
        self.body = json.dumps({"keys": [issuer.jwk() for issuer in issuers]}).encode()

    def stop(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked += 1
                publisher.may_answer.wait(DEADLINE_S)
                if publisher.answer is not None:
                    publisher.answer(self)
                    return
                self.send_response(publisher.status)
                self.send_header("Location", publisher.url + "?elsewhere")
                self.send_header("Content-Length", str(len(publisher.body)))
                self.end_headers()
                self.wfile.write(publisher.body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return Handler


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    publisher.publish(OLD)
    yield publisher
    publisher.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "certificate.pem")


@pytest.fixture
def secure_publisher(certificate: Path) -> Iterator[Publisher]:
    """Publishes over TLS."""
    publisher = Publisher(serving(certificate))
    publisher.publish(OLD)
    yield publisher
    publisher.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key_set(publisher: Publisher, clock: Clock) -> KeySet:
    return KeySet(publisher.url, max_age_s=MAX_AGE_S, timeout_s=DEADLINE_S, clock=clock)


async def ids(key_set: KeySet, wanted: Wanted) -> list[str | None]:
    return [key.key_id for key in await key_set.candidates(wanted)]


async def test_keys_are_fetched_once_for_everybody(publisher: Publisher, key_set: KeySet) -> None:
    found = await asyncio.gather(*(ids(key_set, WANTS_OLD) for _ in range(50)))

    assert found == [["old"]] * 50
    assert publisher.asked == 1


async def test_a_new_key_is_fetched_as_soon_as_a_token_names_it(
    publisher: Publisher, key_set: KeySet, clock: Clock
) -> None:
    await ids(key_set, WANTS_OLD)
    publisher.publish(NEW, OLD)
    clock.now += RETRY_AFTER_S

    assert await ids(key_set, WANTS_NEW) == ["new"]
    assert await ids(key_set, WANTS_OLD) == ["old"]
    assert publisher.asked == 2


async def test_made_up_key_ids_do_not_make_us_ask_again_and_again(
    publisher: Publisher, key_set: KeySet, clock: Clock
) -> None:
    for number in range(30):
        assert await ids(key_set, Wanted("ES256", f"made up {number}")) == []
    assert publisher.asked == 1

    clock.now += RETRY_AFTER_S
    for number in range(30):
        assert await ids(key_set, Wanted("ES256", f"made up {number}")) == []
    assert publisher.asked == 2


async def test_a_key_that_the_issuer_has_taken_back_counts_no_more_when_the_set_is_old(
    publisher: Publisher, key_set: KeySet, clock: Clock
) -> None:
    await ids(key_set, WANTS_OLD)
    publisher.publish(NEW)

    clock.now += MAX_AGE_S
    assert await ids(key_set, WANTS_OLD) == ["old"]
    clock.now += 1
    assert await ids(key_set, WANTS_OLD) == []


async def test_while_the_issuer_does_not_answer_its_keys_are_kept_for_a_day(
    publisher: Publisher, key_set: KeySet, clock: Clock
) -> None:
    await ids(key_set, WANTS_OLD)
    publisher.status = 500

    clock.now += KEPT_FOR_S
    assert await ids(key_set, WANTS_OLD) == ["old"]
    clock.now += RETRY_AFTER_S
    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)

    publisher.status = 200
    clock.now += RETRY_AFTER_S
    assert await ids(key_set, WANTS_OLD) == ["old"]


def _redirect(publisher: Publisher) -> None:
    publisher.status = 302


def _send_no_json(publisher: Publisher) -> None:
    publisher.body = b"<html>CANARY-7f3a"


def _send_another_shape(publisher: Publisher) -> None:
    publisher.body = b'{"key": []}'


def _send_too_much(publisher: Publisher) -> None:
    publisher.body += b" " * MAX_BYTES


def _send_deep(publisher: Publisher) -> None:
    publisher.body = b"[" * 100_000


@pytest.mark.parametrize(
    "spoil", [_redirect, _send_no_json, _send_another_shape, _send_too_much, _send_deep]
)
async def test_what_is_no_answer_is_neither_good_nor_bad(
    publisher: Publisher,
    key_set: KeySet,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Publisher], None],
) -> None:
    spoil(publisher)

    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)

    assert publisher.asked == 1
    assert "the key set of the issuer cannot be read: " in caplog.text
    assert "CANARY" not in caplog.text
    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)  # at once: it is asked again a while later
    assert publisher.asked == 1


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\nX: ", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_an_issuer_that_sends_a_byte_now_and_then_is_given_up(
    publisher: Publisher, head: bytes
) -> None:
    stopped = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while not stopped.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    publisher.answer = drip
    key_set = KeySet(publisher.url, max_age_s=MAX_AGE_S, timeout_s=0.2)

    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)
    stopped.set()


async def test_a_silent_issuer_keeps_nobody_else_waiting(
    publisher: Publisher, key_set: KeySet
) -> None:
    publisher.may_answer.clear()

    waiting = asyncio.create_task(ids(key_set, WANTS_OLD))
    for _ in range(5):
        await asyncio.sleep(0.01)  # the loop turns meanwhile
    assert not waiting.done()
    publisher.may_answer.set()

    assert await waiting == ["old"]


async def test_without_an_issuer_there_is_no_answer(clock: Clock) -> None:
    publisher = Publisher()
    publisher.stop()
    key_set = KeySet(publisher.url, max_age_s=MAX_AGE_S, timeout_s=DEADLINE_S, clock=clock)

    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://issuer.example/keys", True),
        ("http://127.0.0.1:8000/keys", True),
        ("http://localhost/keys", True),
        ("http://[::1]/keys", True),
        ("http://issuer.example/keys", False),
        ("http://localhost.evil.example/keys", False),
        ("file:///etc/passwd", False),
        ("ftp://issuer.example/keys", False),
        ("issuer.example/keys", False),
        ("https://", False),
        ("https://[", False),
    ],
)
def test_keys_are_fetched_where_nobody_can_put_others_in_their_place(
    url: str, answer: bool
) -> None:
    assert is_trustworthy(url) == answer


async def test_keys_are_fetched_over_tls_from_whom_the_machine_trusts(
    secure_publisher: Publisher,
    certificate: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    key_set = published_at(NAME, secure_publisher, clock)

    assert await ids(key_set, WANTS_OLD) == ["old"]


@pytest.mark.parametrize(("host", "is_trusted"), [(NAME, False), ("127.0.0.1", True)])
async def test_keys_of_whom_no_certificate_names_are_not_read(
    secure_publisher: Publisher,
    certificate: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    is_trusted: bool,
) -> None:
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    key_set = published_at(host, secure_publisher, clock)

    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)
    assert secure_publisher.asked == 0


def published_at(host: str, publisher: Publisher, clock: Clock) -> KeySet:
    """The key set of one who publishes over TLS."""
    url = f"https://{host}:{publisher.port}/keys"
    return KeySet(url, max_age_s=MAX_AGE_S, timeout_s=DEADLINE_S, clock=clock)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/keys", "data:,{}"])
async def test_a_url_of_another_kind_is_never_opened(url: str, clock: Clock) -> None:
    key_set = KeySet(url, max_age_s=MAX_AGE_S, timeout_s=DEADLINE_S, clock=clock)

    with pytest.raises(AuthUnavailableError):
        await ids(key_set, WANTS_OLD)
