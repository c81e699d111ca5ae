"""The development settings, with times that a test chooses and a place where the server dies.

``tuned`` makes the environment of a site that uses them.
"""

import json
import os

from syncsite import listening
from syncsite.settings import *  # noqa: F403 (these settings are those and a little more)
from syncsite.settings import INSTALLED_APPS, LIVESYNC

_VARIABLE = "FAULTS_LIVESYNC"


def tuned(**livesync: object) -> dict[str, str]:
    """Environment variables for a site with these members in its LIVESYNC setting."""
    return {"DJANGO_SETTINGS_MODULE": __name__, _VARIABLE: json.dumps(livesync)}


LIVESYNC = {**LIVESYNC, **json.loads(os.environ.get(_VARIABLE, "{}"))}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.fail_points.FailPoints"]

# the kernel's part in giving up a peer that reads nothing; no site has a reason to change it
listening.USER_TIMEOUT_MS = 10_000
