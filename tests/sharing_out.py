"""How pytest-xdist shares the tests out: who shares a server stays together."""

import re

from xdist.scheduler import LoadScopeScheduling

OF_A_FOLDER = re.compile(
    r"(tests/(?:bad_inputs|chat_conformance|e2e/chat_bots|e2e))/[^\[]*\[([^-\]]+)"
)
"""Folders whose tests all use the same few servers, and the parameter that names the server."""


class TogetherScheduling(LoadScopeScheduling):
    """Gives a worker one file after the other, in order; or all tests of a folder's server.

    The order is that of the collection: the unit tests, which are short, come last, so that all
    workers end at about the same time.
    """

    def _split_scope(self, nodeid: str) -> str:
        shared = OF_A_FOLDER.match(nodeid)
        return " ".join(shared.groups()) if shared else nodeid.partition("::")[0]
