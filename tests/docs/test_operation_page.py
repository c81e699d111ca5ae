"""docs/operation.md has a row for every refusal at start-up, every check, and the log lines."""

import inspect
import re

import pytest
from prometheus_client import Counter, Gauge, Histogram

from chatstate import metrics as chatstate_metrics
from livesync import checks
from livesync import metrics as livesync_metrics
from syncsite import metrics as site_metrics
from tests.docs.pages import ROOT, named_in, page, rows
from tests.docs.refusals import refusals

PAGE = page("docs/operation.md")
AUTH = "livesync/auth"
MESSAGES = [
    message
    for heading in ("Production settings", "Environment", "The machine")
    for row in rows(PAGE.section(heading))
    for message in named_in(row[0])
]


@pytest.mark.parametrize("refusal", sorted(refusals()))
def test_every_refusal_has_a_row(refusal: str) -> None:
    assert [message for message in MESSAGES if message in refusal] != []


@pytest.mark.parametrize("message", MESSAGES)
def test_every_row_is_about_a_refusal(message: str) -> None:
    assert [refusal for refusal in refusals() if message in refusal] != []


def test_every_check_has_a_row() -> None:
    documented = [row[0].strip("`") for row in rows(PAGE.section("Checks of livesync"))]

    sources = [inspect.getsource(checks), *(p.read_text() for p in (ROOT / AUTH).glob("*.py"))]
    found = {id for source in sources for id in re.findall(r'id="(livesync\.\w+)"', source)}
    assert documented == sorted(found)


def test_every_metric_has_a_row() -> None:
    declared = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for module in (livesync_metrics, chatstate_metrics, site_metrics)
        for collector in vars(module).values()
        if isinstance(collector, Counter | Gauge | Histogram)
        for metric in collector.collect()
    }

    assert {named_in(row[0])[0] for row in rows(PAGE.section("Metrics"))} == declared


def test_the_log_lines_are_those_of_the_code() -> None:
    sources = [
        re.sub(r'"\s*f?"', "", path.read_text())
        for folder in ("groundwork", "livesync", "syncsite")
        for path in (ROOT / folder).rglob("*.py")
    ]
    lines = [line for row in rows(PAGE.section("Logs")) for line in named_in(row[0])]

    unknown = [line for line in lines if not any(line in source for source in sources)]

    assert lines
    assert unknown == []
