"""Which session cookies are looked up."""

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

from syncsite.sessions import SessionMiddleware


@pytest.mark.parametrize(
    ("cookie", "key"),
    [
        ("0123456789abcdefghijklmnopqrstuv", "0123456789abcdefghijklmnopqrstuv"),
        ('"\\000aaaaaaaaaaaaaaa"', None),
        ("aaaaaaaa-aaaa", None),
        ("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", None),
        ("", None),
    ],
)
def test_a_key_that_django_never_made_is_dropped(cookie: str, key: str | None) -> None:
    request = RequestFactory().get("/admin/", headers={"cookie": f"sessionid={cookie}"})

    SessionMiddleware(lambda _: HttpResponse()).process_request(request)

    assert request.session.session_key == key


def test_the_site_uses_it() -> None:
    assert "syncsite.sessions.SessionMiddleware" in settings.MIDDLEWARE
