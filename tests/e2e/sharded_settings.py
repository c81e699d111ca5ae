"""The site with a second database, for the threads of one platform."""

from syncsite.databases import databases
from syncsite.settings import *  # noqa: F403 (the site as it is)
from syncsite.settings import DATABASES, SYNCSITE_DATA

DATABASES["chatstate_slack"] = {
    **databases("", SYNCSITE_DATA)["chatstate"],
    "NAME": DATABASES["chatstate"]["NAME"].replace("chatstate.", "chatstate_slack."),
}
CHATSTATE = {
    "shards": {"default": "chatstate", "slack": "chatstate_slack"},
    "shard_key": "chatstate.sharding.by_platform",
    "key_shard": "chatstate.sharding.by_thread_prefix",
}
