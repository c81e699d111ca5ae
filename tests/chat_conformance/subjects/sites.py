"""Served sites, and tokens for as many namespaces as tests ask for."""

import itertools
from collections.abc import Mapping

from tests.chat_conformance.subjects.subject import Place
from tests.processes import LOOPBACK
from tests.site_process import SiteProcess

_TOKENS_AT_A_TIME = 200

_TOKEN_MAKER = """
from chatstate.services.tokens import create_token
for number in range({first}, {first} + {count}):
    namespace = f"conformance-{{number}}"
    print(namespace, create_token(namespace))
"""


class Tokens:
    """Tokens of namespaces that nobody has used.

    Made many at a time: to start a command takes as long as some hundred tests.
    """

    def __init__(self, site: SiteProcess) -> None:
        self.site = site
        self._unused: dict[str, str] = {}
        self._made = 0

    def take(self) -> tuple[str, str]:
        """A namespace and its token."""
        if not self._unused:
            self._unused = dict(self._make())
        return self._unused.popitem()

    def _make(self) -> Mapping[str, str]:
        script = _TOKEN_MAKER.format(first=self._made, count=_TOKENS_AT_A_TIME)
        self._made += _TOKENS_AT_A_TIME
        printed = self.site.manage("shell", "--no-imports", "-c", script)
        return dict(line.split() for line in printed.splitlines())


class SitePlace(Place):
    """Subjects that reach a served site with a token.

    Args:
        tokens: of the site.
        second: a server on the site's database; clients then use the two in turn.
    """

    def __init__(self, tokens: Tokens, second: SiteProcess | None = None) -> None:
        self.server_port = tokens.site.port
        self._ports = itertools.cycle([site.port for site in (tokens.site, second) if site])
        self._tokens = tokens
        self._taken: dict[str, str] = {}

    def new_namespace(self, wanted: str) -> str:
        namespace, token = self._tokens.take()
        self._taken[namespace] = token
        return namespace

    def http_url(self, port: int | None) -> str:
        """The URL of a server, or of a link to one."""
        return f"http://{LOOPBACK}:{port or next(self._ports)}"

    def token_of(self, namespace: str) -> str:
        """The token of a namespace that was given out here."""
        return self._taken[namespace]
