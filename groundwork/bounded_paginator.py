"""A paginator for lists of Django's admin that may be very long."""

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:  # generic in the stubs only
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

LIST_MAX_ROWS = 10_000
"""Most rows that are counted and paged through; the search finds the others."""


class BoundedPaginator(_Paginator):
    """Counts no further than ``LIST_MAX_ROWS``: counting all takes longer than the page."""

    @cached_property
    def is_cut(self) -> bool:
        """Whether there are more."""
        return self._counted > LIST_MAX_ROWS

    @cached_property
    def count(self) -> int:
        return min(self._counted, LIST_MAX_ROWS)

    @cached_property
    def _counted(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list.order_by()[: LIST_MAX_ROWS + 1].count()
