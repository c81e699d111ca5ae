"""The production settings, in processes of their own: they refuse what is unsafe."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.processes import ServerFailedError
from tests.servers import PostgresServer
from tests.site_process import MANAGE, SiteProcess

HOST = "sync.example"
SAFE = {
    "DJANGO_SETTINGS_MODULE": "syncsite.production",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
    "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
    "SYNCSITE_AUTH": "open",
    "SYNCSITE_ALLOWED_ORIGINS": "https://app.example",
    "SYNCSITE_TLS_PROXY": "1",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteProcess]:
    directory = tmp_path_factory.mktemp("production") / "data"
    with SiteProcess(data_directory=directory, environment=SAFE) as made:
        yield made


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "SYNCSITE_DATA": str(tmp_path / "data")}
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**environment, "DJANGO_SETTINGS_MODULE": "syncsite.production", **variables},
    )


def get(site: SiteProcess, path: str, **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", path, headers={"Host": HOST, **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "runserver"])
def test_every_reason_is_told_in_a_line_of_its_own(tmp_path: Path, command: str) -> None:
    done = manage(tmp_path, command, WORKERS="2")

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "ImproperlyConfigured:",
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "SYNCSITE_AUTH",
        "WORKERS=2",
        "SYNCSITE_TLS_PROXY",
    ]
    assert not (tmp_path / "data").exists()


def test_the_example_environment_passes_djangos_deployment_checks() -> None:
    script = MANAGE.parent / ".ci" / "check-production"

    done = subprocess.run([script, sys.executable], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_runserver_is_refused_and_names_the_command_for_production(tmp_path: Path) -> None:
    done = manage(tmp_path, "runserver", **SAFE)

    assert done.returncode == 1
    assert "manage.py serve" in done.stderr


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SAFE["SECRET_KEY"])

    done = manage(
        tmp_path, "check", **SAFE | {"SECRET_KEY": "", "SECRET_KEY_FILE": f"{tmp_path}/key"}
    )

    assert done.returncode == 0, done.stderr


def test_a_site_in_production_serves(site: SiteProcess) -> None:
    assert "production settings" in site.log
    assert get(site, "/healthz").status == 200
    assert get(site, "/static/admin/css/base.css", **{"X-Forwarded-Proto": "https"}).status == 200
    assert not (site.data_directory / "secret_key").exists()


def test_the_admin_is_reached_over_tls_only(site: SiteProcess) -> None:
    plain = get(site, "/admin/login/")
    through_the_proxy = get(site, "/admin/login/", **{"X-Forwarded-Proto": "https"})

    assert (plain.status, plain.getheader("Location")) == (301, f"https://{HOST}/admin/login/")
    assert through_the_proxy.status == 200
    assert through_the_proxy.getheader("Strict-Transport-Security")
    assert "Secure" in (through_the_proxy.getheader("Set-Cookie") or "")


@pytest.mark.parametrize("path", ["/", "/?storeId=a&transport=http", "/admin/", "/readyz"])
def test_another_host_is_refused(site: SiteProcess, path: str) -> None:
    assert get(site, path, Host="evil.example").status == 400


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit"])
def test_a_postgresql_that_loses_commits_is_refused(setting: str) -> None:
    with PostgresServer(settings={setting: "off"}) as postgres:
        site = SiteProcess(environment=SAFE, database_url=postgres.url)
        try:
            with pytest.raises(ServerFailedError, match=f"PostgreSQL has {setting} off"):
                site.start()
        finally:
            site.close()
