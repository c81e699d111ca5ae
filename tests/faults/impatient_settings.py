"""The development settings for a site that soon gives up clients which do not read."""

from syncsite import listening
from syncsite.settings import *  # noqa: F403 (these settings are those and a little more)
from syncsite.settings import LIVESYNC

LIVESYNC = {**LIVESYNC, "ack_timeout_s": 10.0}

# the kernel's part; what a client could tune is only the application's
listening.USER_TIMEOUT_MS = 10_000
