"""Queues: a row for each thread, and the messages that wait for one.

The key of an entry is made of several columns, which Django's admin cannot register.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from chatstate.admin.base import RowsAdmin, key_text, show_key, shown_ms
from chatstate.admin.databases import choices
from chatstate.admin.values import PAGE_VALUES, Value, after_of, may_see, values_page
from chatstate.models import QueuedEntry
from chatstate.services.browse import (
    Place,
    Queue,
    count_stranded,
    list_queues,
    queue_entries,
)
from chatstate.storage.expiry import now_ms
from groundwork.row_admin import asks_and_does, log
from groundwork.visible_text import visible

PERMISSION = "chatstate.view_queuedentry"
PAGE_QUEUES = 50
STRANDED_PAGE_QUEUES = 500
"""Queues that a page of stranded ones looks through."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class QueuePages:
    """The list of queues, and the messages of one; read only."""

    def __init__(self, rows: RowsAdmin) -> None:
        self._rows = rows

    def urls(self) -> list[URLPattern]:
        """Their URL patterns."""
        entries = asks_and_does(self.show_entries)
        return [
            self._page("queues/", require_safe(self.list_queues), "queues"),
            self._page("queues/entries/", entries, "queue_entries"),
        ]

    def list_queues(self, request: HttpRequest) -> HttpResponse:
        only_stranded = request.GET.get("stranded") == "1"
        size = STRANDED_PAGE_QUEUES if only_stranded else PAGE_QUEUES
        place = _place(request) if "digest" in request.GET else Place()
        alias = self._rows.alias(request)
        found = list_queues(alias, after=place, max_queues=size + 1)
        page = found[:size]
        more = _query(page[-1], only_stranded=only_stranded) if len(found) > size else None
        return self._rows.render(
            request,
            "queues",
            "Stranded queues" if only_stranded else "Queues",
            queues=[_shown(queue) for queue in page if queue.is_stranded or not only_stranded],
            more=more,
            only_stranded=only_stranded,
            stranded=count_stranded(alias),
            may_see=may_see(request),
            databases=choices(request),
        )

    def show_entries(self, request: HttpRequest) -> HttpResponse:
        place, after, alias = _place(request), after_of(request), self._rows.alias(request)
        entries = queue_entries(alias, place, after=after, max_entries=PAGE_VALUES + 1)
        if not entries:
            raise Http404("nothing waits here")
        now = now_ms(alias)
        thread_id = bytes(entries[0].thread_id)
        return values_page(
            self._rows,
            request,
            "Messages",
            [Value(entry.message, entry.number, _note(entry, now)) for entry in entries],
            shown=show_key(thread_id),
            note=partial(_log, request, place, thread_id),
            place_query=urlencode({"namespace": place.namespace, "digest": place.digest.hex()}),
        )

    def _page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        def checked(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            return view(request)

        return path(route, self._rows.admin_site.admin_view(checked), name=f"chatstate_{name}")


def _place(request: HttpRequest) -> Place:
    namespace, digest = request.GET.get("namespace", ""), request.GET.get("digest", "")
    if not _DIGEST.fullmatch(digest) or "\x00" in namespace:
        raise Http404("there is no such queue")
    return Place(namespace, bytes.fromhex(digest))


def _query(queue: Queue, *, only_stranded: bool = False) -> str:
    place = {"namespace": queue.namespace, "digest": queue.digest.hex()}
    return "?" + urlencode(place | ({"stranded": "1"} if only_stranded else {}))


def _shown(queue: Queue) -> dict[str, Any]:
    return {
        "queue": queue,
        "thread": show_key(queue.thread_id),
        "expires_in": shown_ms(queue.oldest_expires_in_ms),
        "entries": reverse("admin:chatstate_queue_entries") + _query(queue),
    }


def _note(entry: QueuedEntry, now: int) -> str:
    rest = shown_ms(entry.expires_at_ms - now)
    state = rest if rest == "expired" else f"expires in {rest}"
    return f"enqueued at {entry.enqueued_at} by its bot's clock, {state}"


def _log(request: HttpRequest, place: Place, thread_id: bytes) -> None:
    shown = visible(key_text(thread_id))
    message = f"Looked at messages of {shown} of {place.namespace}."
    log(request, QueuedEntry, CHANGE, shown, message)
