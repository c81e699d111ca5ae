"""The production settings: DJANGO_SETTINGS_MODULE=syncsite.production.

They refuse to load while anything is unsafe, and say everything that is. Beyond the variables of
``syncsite.settings`` they read these; ``production.env.example`` shows a whole environment.

| variable | meaning |
|---|---|
| SECRET_KEY | at least 50 random characters |
| ALLOWED_HOSTS | the names by which clients address the site, parted by commas |
| SYNCSITE_AUTH | must be chosen; ``open`` lets everybody in |
| SYNCSITE_TLS_PROXY | 1: a proxy in front ends TLS and sets X-Forwarded-Proto itself |
| FORWARDED_ALLOW_IPS | addresses of that proxy, for the clients' addresses; 127.0.0.1 by default |
"""

from syncsite import environment
from syncsite.livesync_settings import livesync_settings
from syncsite.safety import refuse_if_unsafe
from syncsite.settings import *
from syncsite.settings import METRICS_TOKEN, REDIS_URL, SYNCSITE_DATA

DEBUG = False
SECRET_KEY = environment.secret("SECRET_KEY")
ALLOWED_HOSTS = environment.names("ALLOWED_HOSTS")
LIVESYNC = livesync_settings(development=False, data_directory=SYNCSITE_DATA)

# the proxy must overwrite the header, or clients could claim to use TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "no-referrer"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True

refuse_if_unsafe(
    secret_key=SECRET_KEY,
    allowed_hosts=ALLOWED_HOSTS,
    livesync=LIVESYNC,
    tls_proxy=environment.flag("SYNCSITE_TLS_PROXY"),
    workers=environment.number("WORKERS", 1, at_least=1, at_most=64),
    redis_url=REDIS_URL,
    data_directory=SYNCSITE_DATA,
    metrics_token=METRICS_TOKEN,
)
