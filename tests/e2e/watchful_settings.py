"""The development settings, but rights of open sockets are looked up again every second."""

from syncsite.settings import *  # noqa: F403 (the site as it is)
from syncsite.settings import LIVESYNC

LIVESYNC = {**LIVESYNC, "auth_recheck_s": 1.0}
