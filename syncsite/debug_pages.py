"""What Django's debug pages and error reports must not show."""

import re

from django.views.debug import SafeExceptionReporterFilter


class ExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides also the addresses of databases and of Redis, which hold their passwords."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|REDIS|CHANNEL_LAYERS|DATABASE",
        flags=re.IGNORECASE,
    )
