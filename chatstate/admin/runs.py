"""The last runs of ``manage.py cleanup_expired``."""

from typing import ClassVar

from django.http import HttpRequest

from chatstate.admin.base import RowsAdmin


class CleanUpAdmin(RowsAdmin):
    """The last hundred, newest first."""

    list_filter: ClassVar = ()
    list_display = (
        "started_at",
        "ended_at",
        "database",
        "removed_locks",
        "removed_cache_entries",
        "removed_lists",
        "removed_list_items",
        "removed_queue_entries",
        "removed_answers",
    )
    fields = list_display
    sortable_by = ()

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-pk",)
