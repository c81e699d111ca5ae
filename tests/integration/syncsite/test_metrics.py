"""What Prometheus is told, and who may ask."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psutil
import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from websockets.sync.client import connect

from syncsite import metrics
from syncsite.background_log import BackgroundLog
from tests.processes import wait_until
from tests.servers import ValkeyServer
from tests.site_process import SiteProcess

TOKEN = "a token of the tests"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}
SYNC_QUERY = "storeId=a&transport=ws"


@pytest.fixture
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as made:
        yield made


def samples(text: str) -> dict[str, float]:
    """Every sample without labels, by its name."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def test_without_a_token_there_is_nothing(client: Client) -> None:
    answer = client.get("/metrics", headers=ALLOWED)

    assert answer.status_code == 404
    assert b"SYNCSITE_METRICS_TOKEN" in answer.content


@pytest.mark.parametrize(
    "given", ["", TOKEN, "Bearer", "Bearer another token", f"Basic {TOKEN}", "ü"]
)
def test_who_does_not_know_the_token_learns_nothing(
    client: Client, token: None, given: str
) -> None:
    answer = client.get("/metrics", headers={"Authorization": given})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"livesync" not in answer.content


def test_whoever_knows_it_is_told_everything(client: Client, token: None) -> None:
    answer = client.get("/metrics", headers=ALLOWED)

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    found = samples(answer.text)
    assert found["livesync_live_pulls"] == 0
    assert found["process_resident_memory_bytes"] > 1_000_000


def test_a_look_changes_nothing(client: Client, token: None) -> None:
    assert client.post("/metrics", headers=ALLOWED).status_code == 405


def test_dropped_log_lines_are_counted_once(
    client: Client, token: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropped() -> float:
        answer = client.get("/metrics", headers=ALLOWED)
        return samples(answer.text)["syncsite_log_dropped_lines_total"]

    before = dropped()
    monkeypatch.setattr(BackgroundLog, "dropped_lines", BackgroundLog.dropped_lines + 3)
    monkeypatch.setattr(metrics, "_told_dropped_lines", metrics._told_dropped_lines)

    assert (dropped(), dropped()) == (before + 3, before + 3)


def test_any_worker_answers_for_all_of_them(valkey: ValkeyServer) -> None:
    environment = {"SYNCSITE_METRICS_TOKEN": TOKEN}
    with (
        SiteProcess(redis_url=valkey.url, workers=2, environment=environment) as site,
        ExitStack() as sockets,
    ):

        def told(name: str) -> float:
            try:
                return samples(httpx.get(f"{site.http_url}/metrics", headers=ALLOWED).text)[name]
            except httpx.TransportError:
                return -1  # the worker was killed before it answered

        for _ in range(8):
            socket = sockets.enter_context(connect(f"{site.ws_url}/?{SYNC_QUERY}"))
            socket.send(LIVE_PULL)
            socket.recv()

        wait_until(lambda: told("livesync_live_pulls") == 8, what="all live pulls")
        reads = told("livesync_read_duration_seconds_count")
        assert reads >= 8

        for worker in worker_processes(site):
            worker.kill()
        wait_until(lambda: told("livesync_live_pulls") == 0, what="new workers alone")
        assert told("livesync_read_duration_seconds_count") == reads


def worker_processes(site: SiteProcess) -> list[psutil.Process]:
    children = psutil.Process(site.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


LIVE_PULL = """{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","headers":[],"payload":
{"storeId":"a","live":true,"cursor":{"_tag":"None"}}}"""
