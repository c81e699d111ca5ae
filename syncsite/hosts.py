"""The Host header, checked for what does not pass Django's own check."""

from collections.abc import Iterable

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def is_host_allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request has exactly one Host header, and it is on ALLOWED_HOSTS."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1:
        return False
    domain, _ = split_domain_port(hosts[0].decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
