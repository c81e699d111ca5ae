"""The events of a store, newest first.

Their key is made of several columns, which Django's admin cannot register, so these pages stand on
the storage interface instead.
"""

from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.views.decorators.http import require_safe

from livesync.admin.pages import StorePages
from livesync.admin.shown_event import show
from livesync.models import Store
from livesync.protocol.events import MAX_SEQ_NUM
from livesync.services.browse import Browser, Filter, Page, find_event
from livesync.services.stores import inspect_store
from livesync.storage.engine import LoggedEvent

PAGE_EVENTS = 50

PREVIEW_CHARS = 1_000
"""Most characters of an event's args in the list."""

SHOWN_CHARS = 200_000
"""Most characters of an event's args on its own page; the whole text can be downloaded."""

_ALL_CHARS = 2**31 - 1


class BrowseForm(forms.Form):
    """Which events to show; ``above`` is the way back up, and set by links only."""

    at = forms.IntegerField(label="From number", min_value=0, max_value=MAX_SEQ_NUM, required=False)
    name = forms.CharField(label="Name contains", max_length=1_024, strip=False, required=False)
    client = forms.CharField(
        label="Client id contains", max_length=1_024, strip=False, required=False
    )
    above = forms.IntegerField(
        widget=forms.HiddenInput, min_value=0, max_value=MAX_SEQ_NUM, required=False
    )

    def number(self, field: str) -> int | None:
        """A number that was given and makes sense."""
        value: int | None = self.cleaned_data.get(field)
        return value

    def text(self, field: str) -> str:
        """A text that was given and makes sense; "" for none."""
        return str(self.cleaned_data.get(field) or "")

    def query(self, **place: int) -> str:
        """The query of a URL that shows the same kind of events at another place."""
        texts = {field: self.text(field) for field in ("name", "client")}
        return "?" + urlencode({**place, **{field: text for field, text in texts.items() if text}})


class EventPages(StorePages):
    """The list of a store's events, the page of one, and its args as they were pushed."""

    def urls(self) -> list[URLPattern]:
        """Their URL patterns."""
        return [
            self.stores.page("events/", require_safe(self.list_events), "events"),
            self.stores.page("events/<int:seq_num>/", require_safe(self.show_event), "event"),
            self.stores.page("events/<int:seq_num>/args.json", require_safe(self.download), "args"),
        ]

    def list_events(self, request: HttpRequest, row: Store) -> HttpResponse:
        form = BrowseForm(request.GET)
        form.is_valid()  # what makes no sense is told, and left out
        store = inspect_store(row.store_id)
        wanted = Filter(form.text("name"), form.text("client"))
        page = _look(Browser(store, wanted, PAGE_EVENTS, PREVIEW_CHARS), form)
        return self.render(
            request,
            row,
            "events",
            "Events",
            form=form,
            details=store,
            event_count=f"{store.event_count:,}",
            is_filtered=any(wanted),
            missing=_missing(page, form),
            page=page,
            is_upwards=form.number("above") is not None,
            events=[show(event, max_chars=PREVIEW_CHARS) for event in page.events],
            newest=form.query(),
            newer=None if page.newer_above is None else form.query(above=page.newer_above),
            older=None if page.older_at is None else form.query(at=page.older_at),
        )

    def show_event(self, request: HttpRequest, row: Store, seq_num: int) -> HttpResponse:
        event = _find(row, seq_num, max_args_chars=SHOWN_CHARS)
        return self.render(
            request,
            row,
            "event",
            f"Event {seq_num}",
            shown=show(event, max_chars=SHOWN_CHARS),
            position=f"{event.ordinal:,} of {row.event_count:,}",
        )

    def download(self, request: HttpRequest, row: Store, seq_num: int) -> HttpResponse:
        event = _find(row, seq_num, max_args_chars=_ALL_CHARS)
        if event.args is None:
            raise Http404("this event has no args")
        headers = {"Content-Disposition": f'attachment; filename="event-{seq_num}.json"'}
        return HttpResponse(event.args, content_type="application/json", headers=headers)


def _look(browser: Browser, form: BrowseForm) -> Page:
    above, at = form.number("above"), form.number("at")
    if above is not None:
        return browser.up(above)
    return browser.down() if at is None else browser.down(at)


def _missing(page: Page, form: BrowseForm) -> int | None:
    """The number that was asked for, if no event has it and nothing but the number was asked."""
    at = form.number("at")
    if at is None or not page.events or form.text("name") or form.text("client"):
        return None
    return at if page.events[0].seq_num != at else None


def _find(row: Store, seq_num: int, *, max_args_chars: int) -> LoggedEvent:
    event = find_event(inspect_store(row.store_id), seq_num, max_args_chars=max_args_chars)
    if event is None:
        raise Http404("there is no such event")
    return event
