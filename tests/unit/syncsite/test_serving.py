"""Where to serve, as the environment says."""

import pytest
from pytest_django import Settings

from syncsite.serving import ServeOptions


@pytest.mark.parametrize(("debug", "host"), [(True, "0.0.0.0"), (False, "127.0.0.1")])
def test_only_a_development_site_is_exposed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, debug: bool, host: str
) -> None:
    settings.DEBUG = debug
    monkeypatch.delenv("HOST", raising=False)
    monkeypatch.setenv("SYNCSITE_EXPOSE", "1")

    options = ServeOptions.from_environment()

    assert (options.host, options.expose) == (host, debug)
