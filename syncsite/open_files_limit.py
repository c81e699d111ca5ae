"""How many files and sockets this process may have open."""

import resource
from contextlib import suppress

ENOUGH = 65_536


def raise_open_files_limit() -> None:
    """Raise the soft limit to ``ENOUGH``, or as far as the system lets it.

    Systems start programs with a soft limit of 1,024, for the sake of those that still use
    ``select``. Stores in files take as many as 768 of these, and whoever may pull can make stores.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):  # some systems say that there is no limit, and have one
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
