"""The site as the tests run it: development settings on databases of the tests' own.

SQLite files, not memory: the writer and the readers are threads with their own connections, which
an in-memory database would not let in side by side. DATABASE_URL runs the same tests on PostgreSQL.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

from syncsite.settings import *
from syncsite.settings import DATABASES, INSTALLED_APPS, LIVESYNC, LOGGING

# one for each process, so that two test runs in one checkout do not share a file
SYNCSITE_DATA = Path(tempfile.mkdtemp(prefix="syncsite-tests-"))
atexit.register(shutil.rmtree, SYNCSITE_DATA, ignore_errors=True)

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken"]
LIVESYNC["files_directory"] = str(SYNCSITE_DATA / "stores")
SECRET_KEY = "only for tests, where nothing is signed that matters to anybody"
# a file is looked for when it is asked for: not all of them anew for each test's client
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

for _alias, _database in DATABASES.items():
    if _database["ENGINE"] == "django.db.backends.sqlite3":
        _database["NAME"] = str(SYNCSITE_DATA / f"{_alias}.sqlite3")
        _database["TEST"] = {"NAME": str(SYNCSITE_DATA / f"test-{_alias}.sqlite3")}

# written at once: a line belongs to the test that logged it
LOGGING["handlers"]["stderr"] = {"class": "logging.StreamHandler", "formatter": "plain"}
