"""When an event was stored, as clients are told."""

from datetime import datetime


def iso_text(instant: datetime) -> str:
    """An instant as JavaScript's ``toISOString`` writes it: UTC, milliseconds, ``Z``."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
