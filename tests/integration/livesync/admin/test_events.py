"""The event browser of a store."""

import re
from html import unescape

import pytest
from django.db import connections
from django.test import Client

from livesync.admin import events
from livesync.services import browse
from livesync.storage.database import DatabaseEngine
from tests.factories import make_chain, make_event, make_events
from tests.integration.livesync.admin.conftest import MakeStaff, store_url, text_of
from tests.storage import ALIAS, everywhere, execute, push


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE_EVENTS", 3)


class Browser:
    """Follows links, as its user does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.page = ""

    def go(self, query: str = "") -> "Browser":
        response = self._client.get(store_url("events") + query)
        assert response.status_code == 200
        self.page = response.content.decode()
        return self

    def follow(self, text: str) -> "Browser":
        found = re.search(rf'<a href="(\?[^"]*)">{text}</a>', self.page)
        assert found, f"there is no way to {text}"
        return self.go(unescape(found[1]))

    def has_way(self, text: str) -> bool:
        return f">{text}</a>" in self.page

    @property
    def numbers(self) -> list[int]:
        return [int(number) for number in re.findall(r'<tr id="event-(\d+)">', self.page)]

    @property
    def text(self) -> str:
        return text_of(self.page)


@pytest.fixture
def browser(viewer: Client) -> Browser:
    return Browser(viewer)


@everywhere
def test_events_are_paged_from_the_newest_down_and_back(
    engine: DatabaseEngine, browser: Browser
) -> None:
    push(engine, make_events(8))

    assert browser.go().numbers == [8, 7, 6]
    assert not browser.has_way("← Newer")
    assert browser.follow("Older →").numbers == [5, 4, 3]
    assert browser.follow("Older →").numbers == [2, 1]
    assert not browser.has_way("Older →")
    assert browser.follow("← Newer").numbers == [5, 4, 3]
    assert browser.follow("← Newer").numbers == [8, 7, 6]
    assert browser.go("?at=2").follow("Newest").numbers == [8, 7, 6]


def test_an_event_is_shown_with_all_its_parts(engine: DatabaseEngine, browser: Browser) -> None:
    event = make_event(7, parent=0, name="v1.Noted", client_id="ann", session_id="tab-1")
    done = push(engine, [event])

    assert (
        '7 after 0 v1.Noted { "text": "hello" } ann session tab-1 ' + done.created_at
    ) in browser.go().text


def test_a_jump_leads_to_a_number(engine: DatabaseEngine, browser: Browser) -> None:
    push(engine, make_chain(1, 2, 3, 20_000, 20_001))

    assert browser.go("?at=3").numbers == [3, 2, 1]
    assert "There is no event" not in browser.text
    assert browser.go("?at=19999").numbers == [3, 2, 1]
    assert "There is no event 19999; this begins with the one before it." in browser.text


def test_a_filter_is_kept_on_the_way(engine: DatabaseEngine, browser: Browser) -> None:
    push(
        engine,
        [make_event(n, name=f"v1.{'Even' if n % 2 == 0 else 'Odd'} &x=1") for n in range(1, 12)],
    )

    assert browser.go("?name=odd+%26x").numbers == [11, 9, 7]
    assert browser.follow("Older →").numbers == [5, 3, 1]
    assert browser.follow("← Newer").numbers == [11, 9, 7]
    assert 'value="odd &amp;x"' in browser.page


def test_a_filter_on_clients(engine: DatabaseEngine, browser: Browser) -> None:
    push(engine, [make_event(n, client_id="ab"[n % 2]) for n in range(1, 5)])

    assert browser.go("?client=a").numbers == [4, 2]
    assert browser.go("?client=c").numbers == []
    assert "No event to show." in browser.text


def test_a_long_search_stops_and_can_be_continued(
    engine: DatabaseEngine, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "MAX_SEARCHED", 4)
    monkeypatch.setattr(browse, "_SLICE_EVENTS", 2)
    push(engine, [make_event(1, name="hit"), *make_events(9, after=1)])

    assert browser.go("?name=hit").numbers == []
    assert "Searched down to number 7." in browser.text
    assert browser.follow("Continue the search").numbers == []
    assert browser.follow("Continue the search").numbers == [1]
    assert not browser.has_way("Continue the search")
    assert browser.go("?name=hit&above=1").numbers == []
    assert "Searched up to number 5." in browser.text
    assert browser.follow("Continue the search").numbers == []


@pytest.mark.parametrize("query", ["?at=x", "?at=-1", "?at=9007199254740992", "?at=1e400", "?at="])
def test_a_number_that_makes_no_sense_is_left_out(
    engine: DatabaseEngine, browser: Browser, query: str
) -> None:
    push(engine, make_events(4))

    assert browser.go(query).numbers == [4, 3, 2]
    assert ("errorlist" in browser.page) == (query != "?at=")


def test_a_text_that_cannot_be_searched_for_is_told(
    engine: DatabaseEngine, browser: Browser
) -> None:
    push(engine, make_events(1))

    assert browser.go("?name=%00").numbers == [1]
    assert "Null characters are not allowed." in browser.text


def test_a_store_without_events_says_so(engine: DatabaseEngine, browser: Browser) -> None:
    push(engine, [])

    assert browser.go().numbers == []
    assert "Nothing has been pushed to this store yet." in browser.text


def test_args_that_are_absent_are_not_null(engine: DatabaseEngine, browser: Browser) -> None:
    push(engine, [make_event(1, args=None), make_event(2, args="null")])

    browser.go()

    assert "null client-1" in browser.text
    assert "no args client-1" in browser.text


HARMFUL = (
    '{"html":"</pre><script>alert(1)</script><img src=x onerror=alert(2)>","cut":"\\ud83d",'
    '"line":"a\u2028b","rtl":"\u202eabc","nul":"\\u0000"}'
)


@pytest.mark.parametrize("page", ["events", "event"])
def test_harmful_texts_are_shown_harmlessly(
    engine: DatabaseEngine, viewer: Client, page: str
) -> None:
    push(
        engine,
        [
            make_event(
                1,
                name="<script>n</script>\u202e",
                args=HARMFUL,
                client_id='"><script>c</script>',
                session_id="\u200b<b>s",
            )
        ],
    )
    number = (1,) if page == "event" else ()

    shown = viewer.get(store_url(page, "store", *number)).content.decode()

    assert not re.search(r"<script>[anc]|<img|<b>s", shown)
    assert not set("\u202e\u2028\u200b") & set(shown)
    assert all(f"U+{code}" in shown for code in ("202E", "2028", "200B"))
    for part in ("&lt;/pre&gt;&lt;script&gt;alert(1)", "\\ud83d", "\\u0000"):
        assert part in shown


def test_numbers_and_doubled_keys_are_shown_as_written(
    engine: DatabaseEngine, browser: Browser
) -> None:
    args = '{"n":1e400,"big":123456789012345678901234567890,"zero":-0.0,"a":1,"a":2}'
    push(engine, [make_event(1, args=args)])

    assert (
        '{ "n": 1e400, "big": 123456789012345678901234567890, "zero": -0.0, "a": 1, "a": 2 }'
    ) in browser.go().text


def test_huge_args_are_cut_in_the_list_and_on_their_page(
    engine: DatabaseEngine, browser: Browser, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SHOWN_CHARS", 5_000)
    args = '{"start":1,"text":"' + "é" * 50_000 + '","end":2}'
    push(engine, [make_event(1, args=args), make_event(2, args='"' + "x" * 2_000 + '"')])

    browser.go()
    own_page = viewer.get(store_url("event", "store", 1)).content.decode()
    other_page = viewer.get(store_url("event", "store", 2)).content.decode()

    assert len(browser.page) < 20_000
    assert browser.has_way(r"Show all args (97.7\xa0KB)".replace(r"\xa0", "\xa0"))
    assert '"start": 1' in unescape(own_page)
    assert "This is only the beginning" in own_page
    assert len(own_page) < 20_000
    assert "x" * 2_000 in other_page
    assert "This is only the beginning" not in other_page


def test_args_that_are_not_json_are_shown_with_a_note(
    engine: DatabaseEngine, browser: Browser
) -> None:
    push(engine, make_events(2))
    execute(
        connections[ALIAS], "UPDATE livesync_storedevent SET args = '{broken' WHERE seq_num = 2"
    )

    assert "{ broken These args are not JSON." in browser.go().text
    assert browser.text.count("not JSON") == 1


@pytest.mark.parametrize("args", [HARMFUL, "[" * 512 + "]" * 512, '"' + "é" * 300_000 + '"'])
def test_args_are_downloaded_as_they_were_pushed(
    engine: DatabaseEngine, viewer: Client, args: str
) -> None:
    push(engine, [make_event(1, args=args)])

    response = viewer.get(store_url("args", "store", 1))

    assert response.content == args.encode()
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="event-1.json"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_what_does_not_exist_is_not_found(engine: DatabaseEngine, viewer: Client) -> None:
    push(engine, [make_event(1, args=None)])

    for number in (0, 2, 2**53, 10**30):
        assert viewer.get(store_url("event", "store", number)).status_code == 404
        assert viewer.get(store_url("args", "store", number)).status_code == 404
    assert viewer.get(store_url("args", "store", 1)).status_code == 404


@everywhere
def test_events_of_before_a_reset_are_gone(engine: DatabaseEngine, browser: Browser) -> None:
    push(engine, make_events(3))
    engine.reset("store")
    push(engine, make_events(1))

    assert browser.go().numbers == [1]
    assert "1 event, head 1." in browser.text


def test_staff_without_permission_sees_no_event(
    engine: DatabaseEngine, make_staff: MakeStaff
) -> None:
    push(engine, make_events(1))
    client = make_staff("reset_store")

    for url in (store_url("events"), *(store_url(p, "store", 1) for p in ("event", "args"))):
        assert client.get(url).status_code == 403
