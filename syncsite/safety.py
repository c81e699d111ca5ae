"""What must be right before a site goes into production."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from syncsite.livesync_settings import AUTH_CHOICES

SECRET_KEY_MIN_LENGTH = 50
SECRET_KEY_MIN_DIFFERENT = 5
AUTH_SECRET_MIN_LENGTH = 16
METRICS_TOKEN_MIN_LENGTH = 16
_DEFAULT_KEY_PREFIX = "django-insecure-"
_WRITABLE_BY_ALL = 0o002


def refuse_if_unsafe(
    *,
    secret_key: str,
    allowed_hosts: Sequence[str],
    livesync: Mapping[str, Any],
    tls_proxy: bool,
    workers: int,
    redis_url: str,
    data_directory: Path,
    metrics_token: str,
) -> None:
    """Check the settings of a production site.

    Raises:
        ImproperlyConfigured: something is unsafe; the message names everything, a line for each.
    """
    reasons = [
        *_about_secret_key(secret_key),
        *_about_hosts(allowed_hosts),
        *_about_auth(livesync),
        *_about_origins(livesync),
        *_about_processes(workers, redis_url),
        *_about_data_directory(data_directory),
        *_about_metrics(metrics_token),
    ]
    if not tls_proxy:
        reasons.append(
            "SYNCSITE_TLS_PROXY is not 1: passwords and payloads need TLS; put a proxy in front "
            "that ends it and sets X-Forwarded-Proto"
        )
    if reasons:
        raise ImproperlyConfigured("\n".join(["this site is not safe to start:", *reasons]))


def _about_secret_key(key: str) -> Iterator[str]:
    if not key:
        yield "SECRET_KEY is missing; make one with: openssl rand -base64 48"
    elif key.startswith(_DEFAULT_KEY_PREFIX):
        yield "SECRET_KEY is one of Django's examples; make one with: openssl rand -base64 48"
    elif len(key) < SECRET_KEY_MIN_LENGTH or len(set(key)) < SECRET_KEY_MIN_DIFFERENT:
        yield f"SECRET_KEY is too weak: it needs {SECRET_KEY_MIN_LENGTH} random characters"


def _about_hosts(hosts: Sequence[str]) -> Iterator[str]:
    if not hosts:
        yield "ALLOWED_HOSTS is empty; name the hosts by which clients address the site"
    elif "*" in hosts:
        yield "ALLOWED_HOSTS allows every host; name the hosts by which clients address the site"


def _about_auth(livesync: Mapping[str, Any]) -> Iterator[str]:
    if not livesync.get("hooks"):
        choices = ", ".join(AUTH_CHOICES)
        yield f"SYNCSITE_AUTH is not chosen: {choices} or the dotted path of a Hooks class"
    is_short = len(livesync["shared_secret"]) < AUTH_SECRET_MIN_LENGTH
    if "shared-secret" in livesync.get("auth", ()) and is_short:
        yield f"SYNCSITE_AUTH_SECRET needs at least {AUTH_SECRET_MIN_LENGTH} characters"
    if 0 < len(livesync.get("admin_secret", "")) < AUTH_SECRET_MIN_LENGTH:
        yield f"SYNCSITE_ADMIN_SECRET needs at least {AUTH_SECRET_MIN_LENGTH} characters"


def _about_origins(livesync: Mapping[str, Any]) -> Iterator[str]:
    origins = livesync["allowed_origins"]
    if "session" not in livesync.get("auth", ()):
        return
    if not origins:
        yield "SYNCSITE_ALLOWED_ORIGINS is empty: with SYNCSITE_AUTH=django no page could connect"
    elif "*" in origins:
        yield (
            "SYNCSITE_ALLOWED_ORIGINS allows every page: with SYNCSITE_AUTH=django any page could "
            "act for whoever is signed in"
        )


def _about_processes(workers: int, redis_url: str) -> Iterator[str]:
    if workers > 1 and not redis_url:
        yield f"WORKERS={workers} needs REDIS_URL: processes tell each other of events through it"


def _about_data_directory(directory: Path) -> Iterator[str]:
    if directory.exists() and directory.stat().st_mode & _WRITABLE_BY_ALL:
        yield f"the data directory {directory} can be written by everybody; chmod 700 it"


def _about_metrics(token: str) -> Iterator[str]:
    if token and len(token) < METRICS_TOKEN_MIN_LENGTH:
        yield f"SYNCSITE_METRICS_TOKEN needs at least {METRICS_TOKEN_MIN_LENGTH} characters"
