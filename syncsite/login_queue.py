"""Few log-ins at a time: hashing a password takes a core for a tenth of a second and more."""

import asyncio

from syncsite.asgi_types import Application, Receive, Scope, Send
from syncsite.plain_answers import answer

LOGIN_PATH = "/admin/login"
AT_ONCE = 2
WAITING_MAX = 20
RETRY_AFTER_S = 5


class LoginQueue:
    """Lets so many log-ins at once through to the application; a few wait, the rest get 503.

    It stands behind what reads bodies: a slow one must not take a place.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_login(scope):
            await self._application(scope, receive, send)
        elif self._under_way >= AT_ONCE + WAITING_MAX:
            later = (b"retry-after", b"%d" % RETRY_AFTER_S)
            await answer(scope, send, 503, "Too many log-ins at once; try again later", later)
        else:
            await self._wait_and_pass(scope, receive, send)

    async def _wait_and_pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        try:
            async with self._places:
                await self._application(scope, receive, send)
        finally:
            self._under_way -= 1


def is_login(scope: Scope) -> bool:
    """Whether a request may bring a password to be checked."""
    path: str = scope["path"]
    path = path.removeprefix(scope.get("root_path", ""))
    return scope["method"] == "POST" and path.startswith(LOGIN_PATH)
