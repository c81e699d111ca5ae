"""What a client asks for passes the site's hooks on its way to the services, and back.

Every transport goes through here, so each hook has one place where it is called.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any

from django.utils import timezone

from livesync.hooks import Context
from livesync.protocol.calls import Pull, Push
from livesync.protocol.errors import AuthError
from livesync.protocol.responses import PullResponse
from livesync.services.live_pull import LivePull, Outlet
from livesync.services.patience import patiently
from livesync.services.pull import Page, read_pages
from livesync.services.push import push as push_batch
from livesync.services.push import start_push
from livesync.services.site import get_site, readmit
from livesync.storage.engine import Appended

_tasks: set["asyncio.Task[Any]"] = set()


class Connection:
    """One client on one store: a WebSocket, or one request over HTTP.

    Args:
        context: what ``livesync.services.site.admit`` gave.
    """

    __slots__ = ("_in_order", "_site", "context")

    def __init__(self, context: Context) -> None:
        if not context.stored_store_id:
            raise ValueError("the site was not asked about this context: see services.site.admit")
        self.context = context
        self._site = get_site()
        self._in_order: asyncio.Lock | None = None

    @property
    def store_id(self) -> str:
        """The store in the storage; the client may know it under another name."""
        return self.context.stored_store_id

    @property
    def asks_before_pull(self) -> bool:
        """Whether ``before_pull`` has anything to wait for."""
        return self._site.may_pull is not None or self._site.on_pull is not None

    def has_expired(self) -> bool:
        """Whether the right to ask has ended by itself."""
        return self.context.expires_at is not None and self.context.expires_at <= timezone.now()

    async def revalidate(self) -> None:
        """Ask whether the client may go on; what was revoked counts from then on.

        Raises what ``livesync.services.site.readmit`` does.
        """
        self.context = await readmit(self.context)

    def start_push(self, push: Push) -> "asyncio.Future[Appended]":
        """Hand a push to the hooks and the writer; pushes are stored in the order of these calls.

        It goes on whatever becomes of the connection. For the event loop of a server.

        The future raises what that of ``livesync.services.push.start_push`` does, and:
            RefusedError: a hook refuses the push; nothing was stored, unless the hook is
                ``on_push_response``.
            HookFailedError: a hook is broken, likewise; it has been logged.
        """
        if not self._asks_about_push:
            return start_push(self.store_id, push.backend_id, push.batch)
        return _spawn(self._push_in_order(push))

    async def push(self, push: Push, *, retry_for_s: float = 0.0) -> Appended:
        """``start_push``, for callers that may be anywhere, and wait for what became of it.

        Args:
            push: what the client asks for.
            retry_for_s: how long to try again while the database is out of reach.
        """
        if not self._asks_about_push:
            return await self._push(push, retry_for_s)
        # the hooks see it through although the client hangs up
        return await asyncio.shield(_spawn(self._push_with_hooks(push, retry_for_s)))

    async def before_pull(self, pull: Pull) -> None:
        """Let the hooks see a pull before anything is read.

        Raises:
            RefusedError: a hook refuses the pull.
            HookFailedError: a hook is broken; it has been logged.
        """
        if self._site.may_pull is not None and not await self._site.may_pull(self.context):
            raise AuthError("Not allowed to pull from this store")
        if self._site.on_pull is not None:
            await self._site.on_pull(pull, self.context)

    def live_pull(self, pull: Pull, outlet: Outlet) -> LivePull:
        """A pull for a connection that stays; ``before_pull`` goes first.

        Its ``read`` and ``read_once`` also raise what a hook raises that sees the pages.
        """
        see = None if self._site.on_pull_response is None else self._see_page
        return LivePull(self.store_id, pull.cursor, outlet, see_page=see)

    async def pull(self, pull: Pull, *, retry_for_s: float = 0.0) -> AsyncGenerator[Page, None]:
        """The stored pages that a client asks for.

        Raises what ``before_pull``, ``livesync.services.pull.read_pages`` and a hook that sees the
        pages do.
        """
        await self.before_pull(pull)
        backend_id = pull.cursor.backend_id if pull.cursor else None
        after = pull.cursor.seq_num if pull.cursor else 0
        pages = read_pages(self.store_id, backend_id, after, retry_for_s=retry_for_s)
        async with aclosing(pages):
            async for page in pages:
                await self._see_page(page)
                yield page

    @property
    def _asks_about_push(self) -> bool:
        site = self._site
        return not (site.may_push is site.on_push is site.on_push_response is None)

    async def _push_in_order(self, push: Push) -> Appended:
        if self._in_order is None:
            self._in_order = asyncio.Lock()
        async with self._in_order:  # as they came, however long each one's hooks take
            await self._before_push(push)
            future = start_push(self.store_id, push.backend_id, push.batch)
        appended = await future
        await self._after_push(push)
        return appended

    async def _push_with_hooks(self, push: Push, retry_for_s: float) -> Appended:
        await self._before_push(push)
        appended = await self._push(push, retry_for_s)
        await self._after_push(push)
        return appended

    async def _push(self, push: Push, retry_for_s: float) -> Appended:
        attempt = partial(push_batch, self.store_id, push.backend_id, push.batch)
        return await patiently(attempt, for_s=retry_for_s)

    async def _before_push(self, push: Push) -> None:
        if self._site.may_push is not None and not await self._site.may_push(self.context):
            raise AuthError("Not allowed to push to this store")
        if self._site.on_push is not None and push.batch:
            await self._site.on_push(_copy(push), self.context)

    async def _after_push(self, push: Push) -> None:
        if self._site.on_push_response is not None:
            await self._site.on_push_response(_copy(push), self.context)

    async def _see_page(self, page: Page) -> None:
        if self._site.on_pull_response is None or not page.items:
            return
        response = PullResponse(
            self.store_id, page.backend_id, page.items, remaining=page.remaining
        )
        await self._site.on_pull_response(response, self.context)


def _copy(push: Push) -> Push:
    """For a hook: were it to change the batch, events would be stored that nobody has checked."""
    return push._replace(batch=[*push.batch])


def _spawn(work: Coroutine[Any, Any, Appended]) -> "asyncio.Task[Appended]":
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)  # the loop itself holds it weakly
    task.add_done_callback(_tasks.discard)
    return task
