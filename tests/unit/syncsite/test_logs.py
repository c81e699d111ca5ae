"""No query string reaches a log."""

import io
import logging

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
