"""What a site may override: who may sync which store, and what happens around pushes and pulls.

A site names its class in ``settings.LIVESYNC["hooks"]``. A hook may be ``async`` or not; one that
is not runs in a thread, where it may use the database. What a site does not override is not called,
and costs nothing.

A hook refuses what it was asked about by raising a ``RefusedError``, whose text the client gets.
Whatever else it raises is a bug: it is logged, and refuses as well, without its text. Neither harms
anything else on the same connection, or in the same batch of commits. One that does not return
within ``hook_timeout_s`` refuses too; if it is ``async`` it is cancelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.module_loading import import_string

from livesync.conf import get_settings
from livesync.protocol.calls import Pull, Push
from livesync.protocol.responses import PullResponse

Transport = Literal["ws", "http", "rpc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who asks for which store, as fixed by the handshake or by the HTTP request.

    A hook that knows more gives another one, made with ``dataclasses.replace``.
    """

    store_id: str
    """The store as the client names it; nothing a message says can change it."""

    transport: Transport
    """How the client talks: a WebSocket, requests over HTTP, or RPC."""

    client_address: str | None = None
    """The IP address that asks, as the server sees it; "" if it cannot tell, None for code of this
    process."""

    headers: Mapping[str, str] = field(repr=False)
    """The request's headers, names in lower case; after the handshake those that are forwarded."""

    payload: Any = field(default=None, repr=False)
    """The client's ``syncPayload``: JSON values, or what ``payload_schema`` made of them; None when
    it sends none."""

    user: AbstractBaseUser | None = None
    """Who asks, where that is known: the signed-in Django user for hooks with ``uses_session``."""

    expires_at: datetime | None = None
    """When the right to ask ends; None for never."""

    stored_store_id: str = ""
    """The store in the storage, as ``Hooks.stored_store_id`` gives it; "" before it was asked."""


class Hooks:
    """Does nothing until a site overrides it.

    As long as ``validate_payload`` is not overridden, only this machine may sync, and only in
    development.
    """

    uses_session = False
    """Set it when ``validate_payload`` looks at ``context.user``. Requests must then come from a
    page of an allowed origin, so that no other site's page can use a visitor's session."""

    needs_session = True
    """With ``uses_session``: whether nobody else may sync. Clear it when there are other ways in:
    then a request without an Origin is not refused at once, but its session is not looked at."""

    payload_schema: Any = None
    """The type of the payload, where a site wants it checked: whatever ``msgspec.convert`` takes,
    such as a ``Struct``, a ``TypedDict`` or ``dict[str, str]``. It is checked before
    ``validate_payload``, also when the client sends no payload, which counts as None; what does not
    fit is refused with 400. ``context.payload`` is of that type from then on."""

    async def validate_payload(self, payload: Any, context: Context) -> Context | None:
        """Runs at the WebSocket handshake and at each HTTP request, before anything else.

        Args:
            payload: ``context.payload``. It may hold secrets: it must not reach a log.
            context: the store and the request, with all of its headers.

        Returns:
            None, or the context for all that follows on this connection: with a ``user`` or an
            ``expires_at``, say. Its ``store_id`` and ``transport`` stay what they are.

        Raise an AuthError to refuse. The client gets 400, whatever the store and the reason. With
        an AuthUnavailableError it gets 503, over HTTP after some more tries.
        """
        return None

    async def revalidate(self, context: Context) -> Context | None:
        """Runs every ``auth_recheck_s`` while a WebSocket is open: has something been revoked?

        Returns:
            As ``validate_payload``; the stored store stays what it is.

        Raise an AuthError to close the socket with 3000; the client comes again and is asked as a
        new one. After an AuthUnavailableError it stays open until the next time.
        """
        return None

    async def stored_store_id(self, store_id: str, context: Context) -> str:
        """Says under which id a store is kept, where tenants may use the same names.

        Runs once for a connection or HTTP request, after ``validate_payload``. All that is read
        and written is the stored store's; the client hears of its own name only. Two tenants must
        never get one id for two stores, so put between the parts what neither can hold.

        Raise an AuthError to refuse, as in ``validate_payload``.
        """
        return store_id

    async def forward_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Picks the headers that the hooks below find in ``context.headers``.

        Runs once for a connection or HTTP request, last. Where it is not overridden, those that
        ``LIVESYNC["forward_headers"]`` names are kept. They stay in memory as long as the socket.
        """
        return headers

    async def may_pull(self, context: Context) -> bool:
        """Runs at each pull; gives True or False. False refuses it.

        A live pull that is open goes on.
        """
        return True

    async def may_push(self, context: Context) -> bool:
        """Runs at each push; gives True or False. False refuses it; nothing of it is stored."""
        return True

    async def on_push(self, push: Push, context: Context) -> None:
        """Runs at each push that has events, before it is compared with the store.

        So it also sees pushes that are refused later: a client that is behind pushes the same
        events again. Those of one connection come in their order, one at a time.

        Raising refuses the push; nothing of it is stored. The client sends it again and again.
        """

    async def on_push_response(self, push: Push, context: Context) -> None:
        """Runs when a push is stored, or had no events, before the client hears so.

        Not after a push that failed. What it raises is told to the client, but the events are
        stored; the client finds out when it pushes again.
        """

    async def on_pull(self, pull: Pull, context: Context) -> None:
        """Runs at each pull, before anything is read and the cursor is looked at.

        A live pull is one pull, however long it stays. Raising refuses it. A client that is refused
        stops syncing.
        """

    async def on_pull_response(self, response: PullResponse, context: Context | None) -> None:
        """Runs for each page of stored events, and for each batch on its way to live pulls.

        A batch that was just pushed is seen once in a process, or once for each part of a large
        one, however many live pulls it goes to; then ``context`` is None. It is not seen where no
        live pull of the store is open. The empty page of an empty store is not seen.

        Raising at a stored page ends that pull with an error. Raising at a batch lets each live
        pull of the store read the events as a stored page instead, with a context of its own:
        nobody misses events without a word.
        """


class OpenHooks(Hooks):
    """Everybody who reaches the server may sync every store."""

    async def validate_payload(self, payload: Any, context: Context) -> None:
        """Refuses nobody."""


def get_hooks() -> Hooks:
    """The site's hooks."""
    return _load(get_settings().hooks)


def is_auth_chosen(hooks: Hooks) -> bool:
    """Whether the site has said who may sync, were it everybody."""
    return type(hooks).validate_payload is not Hooks.validate_payload


@lru_cache(maxsize=8)
def _load(path: str) -> Hooks:
    hooks = import_string(path)()
    if not isinstance(hooks, Hooks):
        raise TypeError(f"{path} is not a subclass of livesync.hooks.Hooks")
    return hooks
