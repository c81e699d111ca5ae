"""A bearer token is found in the header, and in nothing else."""

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from chatstate.transports.authentication import BearerAuthentication


def found_in(header: str) -> str | None:
    request = Request(RequestFactory().post("/", headers={"Authorization": header}))
    found = BearerAuthentication().authenticate(request)
    return found and found[1]


@pytest.mark.parametrize("header", ["Bearer chat_x", "bearer chat_x", "BEARER   chat_x "])
def test_the_scheme_is_written_in_any_way(header: str) -> None:
    assert found_in(header) == "chat_x"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "chat_x", "Basic x", "Bearerchat"])
def test_anything_else_is_no_token(header: str) -> None:
    assert found_in(header) is None
