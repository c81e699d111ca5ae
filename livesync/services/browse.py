"""Look through a store's events, page by page, newest first, with a bounded effort per page."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from livesync.protocol.events import MAX_SEQ_NUM
from livesync.storage import get_engine
from livesync.storage.engine import Heading, LoggedEvent, StoreDetails

MAX_SEARCHED = 50_000
"""Most events that are looked at for one page."""

_SEARCH_FOR_S = 2.0  # events with huge args take longer to pass over
_SLICE_EVENTS = 1_000


class Filter(NamedTuple):
    """Which events to show: those whose name and client id contain these texts, in any case."""

    name: str = ""
    client_id: str = ""

    def matches(self, heading: Heading) -> bool:
        """Whether to show the event."""
        return (
            self.name.casefold() in heading.name.casefold()
            and self.client_id.casefold() in heading.client_id.casefold()
        )


class Page(NamedTuple):
    """Some events, newest first, and the ways on from there.

    ``older_at`` and ``newer_above`` are what ``browse_down`` and ``browse_up`` take for the pages
    beside this one; None where nothing follows. ``searched_to`` is the last number looked at if the
    search was given up before the page was full, else None.
    """

    events: Sequence[LoggedEvent]
    older_at: int | None
    newer_above: int | None
    searched_to: int | None


class Browser(NamedTuple):
    """How to look at one store.

    ``max_args_chars`` is the most that is read of each event's args. All methods raise
    StorageUnavailableError while the database is out of reach.
    """

    store: StoreDetails
    wanted: Filter
    max_events: int
    max_args_chars: int

    def down(self, at: int = MAX_SEQ_NUM) -> Page:
        """The newest events that are wanted among those numbered up to ``at``."""
        search = self._search(at, newest_first=True)
        events = self._events(search)
        top = events[0].seq_num if events else at
        newer_above = top if top < self.store.head else None
        return Page(events, search.next_start, newer_above, search.searched_to)

    def up(self, above: int) -> Page:
        """The oldest events that are wanted among those numbered above ``above``.

        Where fewer than a page of them are left, the newest page.
        """
        search = self._search(above + 1, newest_first=False)
        if search.next_start is None:
            return self.down()
        events = self._events(search)
        newer_above = search.searched_to or events[0].seq_num
        return Page(events, above, newer_above, search.searched_to)

    def _search(self, start: int, *, newest_first: bool) -> "_Search":
        search = _Search(self, newest_first=newest_first)
        search.run(start)
        return search

    def _events(self, search: "_Search") -> Sequence[LoggedEvent]:
        found = get_engine().events(self.store, search.seq_nums, max_args_chars=self.max_args_chars)
        return found[::-1]


def find_event(store: StoreDetails, seq_num: int, *, max_args_chars: int) -> LoggedEvent | None:
    """One event by its number, with up to ``max_args_chars`` characters of its args.

    Raises:
        StorageUnavailableError: the database is out of reach.
    """
    if not 0 < seq_num <= MAX_SEQ_NUM:
        return None
    found = get_engine().events(store, [seq_num], max_args_chars=max_args_chars)
    return found[0] if found else None


class _Search:
    """The numbers of the events that are wanted, and where to go on; see ``Page``."""

    def __init__(self, browser: Browser, *, newest_first: bool) -> None:
        self._browser = browser
        self._newest_first = newest_first
        self.seq_nums: list[int] = []
        self.next_start: int | None = None
        self.searched_to: int | None = None

    def run(self, start: int) -> None:
        give_up_at = time.monotonic() + _SEARCH_FOR_S
        # without a filter the first slice fills the page
        size = _SLICE_EVENTS if any(self._browser.wanted) else self._browser.max_events + 1
        for _ in range(0, MAX_SEARCHED, size):
            found = get_engine().headings(
                self._browser.store,
                start=start,
                newest_first=self._newest_first,
                max_events=size,
            )
            if self._is_full_with(found) or len(found) < size:
                return
            searched_to = found[-1].seq_num
            start = searched_to - 1 if self._newest_first else searched_to + 1
            if time.monotonic() > give_up_at:
                break
        self.next_start, self.searched_to = start, searched_to

    def _is_full_with(self, found: Sequence[Heading]) -> bool:
        for heading in found:
            if not self._browser.wanted.matches(heading):
                continue
            if len(self.seq_nums) == self._browser.max_events:
                self.next_start = heading.seq_num
                return True
            self.seq_nums.append(heading.seq_num)
        return False
