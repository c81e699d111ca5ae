"""Does the database keep what it has committed?"""

from django.conf import settings
from django.db import connection

from syncsite.errors import StartRefusedError

_MUST_BE_ON = ("fsync", "synchronous_commit")


def refuse_lossy_commits() -> None:
    """Check, outside development, that PostgreSQL was not told to trade commits for speed.

    Raises:
        StartRefusedError: an acknowledged push would be lost with the power.
    """
    if settings.DEBUG or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name in _MUST_BE_ON:
            cursor.execute("SELECT current_setting(%s)", [name])
            if cursor.fetchone()[0] == "off":
                raise StartRefusedError(
                    f"PostgreSQL has {name} off: pushes that were acknowledged could be lost. "
                    f"Turn {name} on"
                )
