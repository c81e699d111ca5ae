"""No query string reaches a log."""

import io
import logging
from importlib import import_module

import pytest
from daphne.access import AccessLogGenerator

from syncsite import logs

SECRET = "payload=CANARY"


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.access", logging.INFO, "", 0, message, args, None)


@pytest.mark.parametrize(
    "made",
    [
        record('%s - "%s %s HTTP/%s" %d', "127.0.0.1:9", "POST", f"/x?{SECRET}", "1.1", 200),
        record('%s - "WebSocket %s" [accepted]', "127.0.0.1:9", f"/x?storeId=a&{SECRET}"),
        record("HTTP %(method)s %(path)s", {"method": "POST", "path": f"/x?{SECRET}"}),
    ],
)
def test_the_path_stays_and_the_query_goes(made: logging.LogRecord) -> None:
    assert logs.WithoutQueries().filter(made)

    assert "/x" in made.getMessage()
    assert "CANARY" not in made.getMessage()


@pytest.mark.parametrize("name", ["uvicorn.access", "uvicorn.error", "django.channels.server"])
def test_the_loggers_that_log_urls_have_the_filter(name: str) -> None:
    filters = logging.getLogger(name).filters

    assert any(isinstance(one, logs.WithoutQueries) for one in filters)


def test_daphnes_own_access_log_loses_queries_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessLogGenerator, "write_entry", AccessLogGenerator.write_entry)
    monkeypatch.delattr(AccessLogGenerator, "without_queries", raising=False)
    stream = io.StringIO()

    logs.keep_queries_from_daphne()
    logs.keep_queries_from_daphne()
    details = {"client": "127.0.0.1:9", "status": 200, "size": 2}
    AccessLogGenerator(stream)("http", "complete", details | {"method": "GET", "path": "/x?a"})

    assert '"GET /x" 200 2' in stream.getvalue()


def test_a_refused_handshake_is_no_error() -> None:
    keep = logs.WithoutFalseAlarms().filter

    assert not keep(record("ASGI callable returned without completing handshake."))
    assert keep(record("Exception in ASGI application\n"))


def test_a_frame_that_is_no_text_leaves_one_line_and_no_stack_trace() -> None:
    alarm = record("Invalid UTF-8 sequence received from client.")
    alarm.levelno, alarm.levelname = logging.ERROR, "ERROR"
    alarm.exc_info = (ValueError, ValueError("not UTF-8"), None)

    assert logs.WithoutFalseAlarms().filter(alarm)

    assert alarm.levelname == "WARNING"
    assert "\n" not in logging.Formatter().format(alarm)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class TestOneAMinute:
    """What a peer can cause again and again."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def seldom(self, clock: Clock) -> logs.OneAMinute:
        return logs.OneAMinute(["a.logger"], now=clock)

    def warning(
        self, message: str, *args: object, name: str = "a.logger", error: Exception | None = None
    ) -> logging.LogRecord:
        exc_info = (type(error), error, None) if error else None
        return logging.LogRecord(name, logging.WARNING, "", 0, message, args, exc_info)

    def test_the_next_line_says_how_many_it_stands_for(
        self, seldom: logs.OneAMinute, clock: Clock
    ) -> None:
        passed = [seldom.filter(self.warning("store %r", number)) for number in range(5)]
        clock.now += 60
        last = self.warning("store %r", "100%")

        assert passed == [True, False, False, False, False]
        assert seldom.filter(last)
        assert last.getMessage() == "store '100%' (4 more before)"

    def test_after_a_quiet_minute_a_line_stands_for_itself(
        self, seldom: logs.OneAMinute, clock: Clock
    ) -> None:
        first, second = self.warning("store %r", 1), self.warning("store %r", 2)

        assert seldom.filter(first)
        clock.now += 60
        assert seldom.filter(second)
        assert second.getMessage() == "store 2"

    def test_kinds_do_not_hide_each_other(self, seldom: logs.OneAMinute) -> None:
        assert seldom.filter(self.warning("one"))
        assert seldom.filter(self.warning("another"))
        assert seldom.filter(self.warning("one", error=ValueError()))
        assert seldom.filter(self.warning("one", error=KeyError()))
        assert not seldom.filter(self.warning("one", error=KeyError()))

    def test_the_lines_of_others_all_pass(self, seldom: logs.OneAMinute) -> None:
        assert all(seldom.filter(self.warning("reset", name="another")) for _ in range(3))
        info = logging.LogRecord("a.logger", logging.INFO, "", 0, "usual", (), None)
        assert all(seldom.filter(info) for _ in range(3))

    def test_ever_new_kinds_take_no_more_memory(
        self, seldom: logs.OneAMinute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(logs, "_KINDS_MAX", 3)

        assert all(seldom.filter(self.warning(f"kind {number}")) for number in range(10))

        assert len(seldom._kinds) <= 3


def test_the_loggers_whose_lines_are_counted_exist() -> None:
    ours = [name for name in logs._CAUSED_BY_PEERS if not name.startswith("uvicorn")]

    assert all(hasattr(import_module(name), "logger") for name in ours)
