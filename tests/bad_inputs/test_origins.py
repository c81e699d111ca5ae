"""B20 to B22, and B27 without CORS: pages of which origins may connect, and as whom.

The site in development lets in whoever knows the key, from this machine's pages; the one in
production lets in who is signed in, from the pages of https://app.example.
"""

import pytest

from tests.bad_inputs.messages import sync_query
from tests.bad_inputs.peers import JSON_TYPE
from tests.bad_inputs.raw_http import HttpAnswer
from tests.bad_inputs.raw_websocket import HANDSHAKE
from tests.bad_inputs.site_under_test import SiteUnderTest

ACCEPTED = {"ws": 101, "http": 200}
PAGE = "https://app.example"


@pytest.fixture(scope="session")
def cookie(production_site: SiteUnderTest) -> str:
    return production_site.session_cookie()


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        pytest.param(None, True, id="B21: none"),
        pytest.param("http://localhost:5173", True, id="B20: a Vite server"),
        pytest.param("https://LOCALHOST", True, id="B20: this machine in capitals"),
        pytest.param("http://127.0.0.2:1", True, id="B20: another loopback address"),
        pytest.param("http://[::1]:5173", True, id="B20: loopback in IPv6"),
        pytest.param("https://evil.example", False, id="B20: elsewhere"),
        pytest.param(
            "http://localhost.evil.example", False, id="B20: elsewhere, like this machine"
        ),
        pytest.param("http://evil.example/localhost", False, id="B20: elsewhere, with a path"),
        pytest.param("http://localhost@evil.example", False, id="B20: elsewhere, with a user"),
        pytest.param("http://192.168.0.2:5173", False, id="B20: the local network"),
        pytest.param("null", False, id="B22: null"),
        pytest.param("", False, id="B22: empty"),
        pytest.param("http://[", False, id="B22: half an address"),
        pytest.param("file://", False, id="B22: a file"),
    ],
)
def test_in_development_with_the_key(
    origin: str | None, accepted: bool, site: SiteUnderTest, transport: str
) -> None:
    with site.writes_nothing():
        answer = ask(site, transport, origin)

    assert answer.status == (ACCEPTED[transport] if accepted else 403)
    assert ask(site, transport, None).status == ACCEPTED[transport]


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        pytest.param(PAGE, True, id="the site's own page"),
        pytest.param("HTTPS://APP.EXAMPLE", True, id="B22: in capitals"),
        pytest.param("https://app.example:443", True, id="B22: with the scheme's own port"),
        pytest.param(None, False, id="B21: none"),
        pytest.param("https://evil.example", False, id="B20: elsewhere"),
        pytest.param("null", False, id="B22: null"),
        pytest.param("https://app.example.evil.com", False, id="B22: a longer name"),
        pytest.param("https://xapp.example", False, id="B22: another name"),
        pytest.param("https://app.example:444", False, id="B22: another port"),
        pytest.param("http://app.example", False, id="B22: another scheme"),
        pytest.param("https://app.example.", False, id="B22: a dot behind"),
        pytest.param("http://localhost:5173", False, id="B20: loopback, in production"),
    ],
)
def test_in_production_with_a_session(
    origin: str | None, accepted: bool, production_site: SiteUnderTest, transport: str, cookie: str
) -> None:
    with production_site.logs_no_alarm(), production_site.writes_nothing():
        answer = ask(production_site, transport, origin, f"Cookie: {cookie}")

        assert answer.status == (ACCEPTED[transport] if accepted else 403)
        assert answer.header("access-control-allow-origin") is None
        again = ask(production_site, transport, PAGE, f"Cookie: {cookie}")
        assert again.status == ACCEPTED[transport]


@pytest.mark.parametrize("header", ["Cookie: sessionid=x", "Cookie: \xff=;;=", "X: y"])
def test_in_production_without_a_session(
    header: str, production_site: SiteUnderTest, transport: str
) -> None:
    with production_site.logs_no_alarm(), production_site.writes_nothing():
        answer = ask(production_site, transport, PAGE, header)

        assert (answer.status, answer.text) == (400, "UnknownError: Invalid auth token")


def test_b27_without_cors_a_preflight_is_refused(production_site: SiteUnderTest) -> None:
    asked = (f"Origin: {PAGE}", "Access-Control-Request-Method: POST")
    target = f"/?{sync_query('a', 'http', payload=None)}"

    answer = production_site.ask("OPTIONS", target, headers=asked)

    assert answer.status == 405
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


def ask(site: SiteUnderTest, transport: str, origin: str | None, *headers: str) -> HttpAnswer:
    """Open a socket or ping over HTTP, as a page of ``origin``."""
    lines = (*headers, *([] if origin is None else [f"Origin: {origin}"]))
    target = f"/?{sync_query('a', transport)}"
    if transport == "ws":
        return site.ask("GET", target, headers=(*HANDSHAKE, *lines))
    return site.ask("POST", target, headers=(JSON_TYPE, *lines), body=b'{"_tag":"Ping"}')
