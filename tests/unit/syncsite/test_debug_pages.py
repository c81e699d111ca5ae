"""A debug page shows no password."""

from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import technical_500_response


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://:hush@db/0"),
        ("CHANNEL_LAYERS", {"default": {"CONFIG": {"hosts": [{"address": "redis://:hush@db/0"}]}}}),
        ("DATABASE_URL", "postgresql://me:hush@db/x"),
    ],
)
def test_an_address_with_a_password_is_hidden(settings: Any, name: str, value: Any) -> None:
    setattr(settings, name, value)
    request = RequestFactory().get("/admin/")

    # without a traceback, which would show the lines of this test
    page = technical_500_response(request, ZeroDivisionError, ZeroDivisionError(), None).text

    assert name in page
    assert "hush" not in page
