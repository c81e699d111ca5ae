"""The development settings: one command, everything embedded, open to this machine only.

``syncsite.production`` builds on these. What an operator tunes comes from the environment:

| variable | meaning | default |
|---|---|---|
| SYNCSITE_DATA | data directory | ``data`` beside manage.py |
| DATABASE_URL | a PostgreSQL for everything | SQLite files in the data directory |
| SYNCSITE_ENGINE | where new stores are kept: ``database``, ``files``, or a function | database |
| REDIS_URL | carries hints between processes | in memory, for one process |
| HOST, PORT, WORKERS | where ``serve`` listens, and in how many processes | 127.0.0.1, 8000, 1 |
| SYNCSITE_EXPOSE | 1: development, open to the local network | 0 |
| SYNCSITE_AUTH | who may sync: ``docs/authentication.md`` | this machine only |
| SYNCSITE_AUTH_SECRET | what ``shared-secret`` asks for | |
| SYNCSITE_ADMIN_SECRET | turns the admin messages of livesync on, for whoever knows it | |
| SYNCSITE_STORE_PERMISSIONS | 1: the table of store permissions must allow it too | 0 |
| SYNCSITE_JWT_ALGORITHMS | what ``jwt`` may be signed with, parted by commas | |
| SYNCSITE_JWT_KEY, SYNCSITE_JWT_JWKS_URL | what verifies them: a key, the issuer's key set | |
| SYNCSITE_JWT_ISSUER, SYNCSITE_JWT_AUDIENCE | what ``iss`` and ``aud`` must be | |
| SYNCSITE_JWT_GRACE_S | seconds for which an expired one still lets in | 0 |
| SYNCSITE_ALLOWED_ORIGINS | pages that may connect, parted by commas | this machine's |
| SYNCSITE_CORS | 1: pages of those origins may use the HTTP transport | 1 |
| ALLOWED_HOSTS | further names by which the site may be addressed | |
| SYNCSITE_ADMIN_PASSWORD | of the admin that the first start makes | random, printed once |
| SYNCSITE_ACCESS_LOG | 0: no line per request | 1 |
| SYNCSITE_METRICS_TOKEN | turns ``/metrics`` on, for whoever sends it | |

A secret may come from a file: SYNCSITE_AUTH_SECRET_FILE names it.
"""

from pathlib import Path

from syncsite import environment, network
from syncsite.data_directory import read_secret_key
from syncsite.databases import databases
from syncsite.livesync_settings import livesync_settings
from syncsite.logs import log_config

BASE_DIR = Path(__file__).resolve().parent.parent
SYNCSITE_DATA = Path(environment.text("SYNCSITE_DATA", str(BASE_DIR / "data"))).absolute()

DEBUG = True
SECRET_KEY = read_secret_key(SYNCSITE_DATA)

# the LAN names do no harm while nothing but loopback is bound, and are needed with SYNCSITE_EXPOSE
ALLOWED_HOSTS = [
    *("localhost", ".localhost", "127.0.0.1", "[::1]"),
    *network.lan_names(),
    *environment.names("ALLOWED_HOSTS"),
]

INSTALLED_APPS = [
    # first: its `migrate` and `runserver` replace Django's
    "syncsite",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "drf_spectacular",
    "livesync",
    "chatstate",
]

# for the site; sync requests pass by them (syncsite.sync_handler)
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "syncsite.static_files.StaticFilesMiddleware",
    "syncsite.sessions.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "syncsite.database_faults.DatabaseFaultMiddleware",
]

ROOT_URLCONF = "syncsite.urls"
ASGI_APPLICATION = "syncsite.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = databases(environment.text("DATABASE_URL"), SYNCSITE_DATA)
DATABASE_ROUTERS = ["syncsite.database_router.DatabaseRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = environment.text("REDIS_URL")
CHANNEL_LAYERS = {
    "default": (
        {
            # the other Redis layer forgets its groups when Redis restarts, and stays silent
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 1, "socket_timeout": 1}],
                "prefix": "syncsite",
            },
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

METRICS_TOKEN = environment.secret("SYNCSITE_METRICS_TOKEN")

LIVESYNC = livesync_settings(development=True, data_directory=SYNCSITE_DATA)
if "drf-token" in LIVESYNC.get("auth", ()):
    INSTALLED_APPS.append("rest_framework.authtoken")

# of the chat state API; every view says by itself who may use it and how
SPECTACULAR_SETTINGS = {
    "TITLE": "Chat state",
    "DESCRIPTION": "The state of Chat SDK bots: subscriptions, locks, cache, lists and queues.",
    "VERSION": "1",
    "POSTPROCESSING_HOOKS": [],
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
# groundwork is no app, whose files would be found without this
STATICFILES_DIRS = [BASE_DIR / "groundwork" / "static"]
# straight from the apps: a handful of small files, and no `collectstatic` to forget
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

DEFAULT_EXCEPTION_REPORTER_FILTER = "syncsite.debug_pages.ExceptionReporterFilter"
LOGGING = log_config(access_log=environment.flag("SYNCSITE_ACCESS_LOG", default=True))
