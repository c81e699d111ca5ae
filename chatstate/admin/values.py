"""Values of bots, which may be secrets: masked until somebody who may see them asks for them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from chatstate.admin.base import RowsAdmin
from groundwork.pretty_json import pretty
from groundwork.visible_text import visible_html

PERMISSION = "chatstate.view_values"

PAGE_VALUES = 50
SHOWN_CHARS = 200_000
"""Most characters of the values on one page."""

_MAX_NUMBER = 2**63 - 1


class Value(NamedTuple):
    """A stored value and what is told of it without showing it."""

    text: str
    number: int | None = None
    note: str = ""


class ShownValue(NamedTuple):
    """A value for the template; ``text`` is None while it is masked."""

    number: int | None
    note: str
    size: int
    text: SafeString | None
    is_cut: bool


def may_see(request: HttpRequest) -> bool:
    """Whether this user may see values."""
    return bool(request.user.has_perm(PERMISSION))


def after_of(request: HttpRequest) -> int:
    """The number behind which a page of values goes on; 0 for the first page.

    Raises:
        Http404: what the URL says is no number that an item can have.
    """
    text = request.GET.get("after", "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or int(text) > _MAX_NUMBER:
        raise Http404("after must be a number")
    return int(text)


def values_page(
    rows: RowsAdmin,
    request: HttpRequest,
    title: str,
    values: Sequence[Value],
    *,
    shown: SafeString,
    note: Callable[[], object],
    **context: Any,
) -> HttpResponse:
    """The page of some values: masked on GET, shown on POST.

    Args:
        rows: the admin that the page belongs to.
        values: ``PAGE_VALUES`` at most; one more says that there are more.
        shown: what they belong to.
        note: writes into the admin's log that they were shown.
    """
    if not may_see(request):
        raise PermissionDenied
    is_shown = request.method == "POST"
    if is_shown:
        note()
    page = values[:PAGE_VALUES]
    last = page[-1].number if len(values) > PAGE_VALUES else None
    return rows.render(
        request,
        "values",
        title,
        shown=shown,
        is_shown=is_shown,
        values=[*_shown(page, is_shown=is_shown)],
        more_after=last,
        **context,
    )


def _shown(values: Sequence[Value], *, is_shown: bool) -> Sequence[ShownValue]:
    left = SHOWN_CHARS
    shown = []
    for value in values:
        text, is_cut = None, False
        if is_shown:
            laid_out = pretty(value.text, max_chars=left)
            text, is_cut = visible_html(laid_out.text, is_block=True), not laid_out.is_whole
            left = max(0, left - len(laid_out.text))
        shown.append(ShownValue(value.number, value.note, len(value.text), text, is_cut))
    return shown
