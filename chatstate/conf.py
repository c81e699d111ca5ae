"""What a site may tune, in ``settings.CHATSTATE``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundwork.settings import SettingsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatstateSettings:
    """Everything a site may tune, read once from ``settings.CHATSTATE``."""

    shards: Mapping[str, str] = field(default_factory=lambda: {"default": "chatstate"})
    """Database alias of each shard. One of them is named ``default``."""

    shard_key: str = "chatstate.sharding.one_shard"
    """Dotted path of a function from a thread id to the name of the shard that keeps the thread's
    subscription, lock and queue."""

    key_shard: str = "chatstate.sharding.one_shard"
    """Dotted path of a function from the key of a cache entry or list to the name of its shard."""

    key_max_bytes: int = 1_024
    """Most UTF-8 bytes in a key or thread id; at most 1,024."""

    value_max_bytes: int = 900_000
    """Most UTF-8 bytes of JSON in one value; leaves room below a 1 MB frame."""

    value_max_depth: int = 512
    """How deep arrays and objects may be nested in a value; at most 699, since most readers give up
    near 1,000."""

    frame_max_bytes: int = 1_048_576
    """Most bytes in one frame or HTTP body."""

    operations_per_frame: int = 1_000
    """Most operations in one frame."""

    operations_per_socket: int = 10_000
    """Most operations of one socket that wait for their answers."""

    list_page_max_chars: int = 4_000_000
    """How much of a list is read at a time; a longer one is read piece by piece."""

    answers_kept_ms: int = 60_000
    """How long the answer to a request id is kept at least, in milliseconds; at least 60,000, which
    clients count on."""

    hello_timeout_s: float = 10.0
    """How long a socket may take to say who it is."""

    idle_timeout_s: float = 60.0
    """A socket without any frame for this long is closed; adapters send one every 20 s."""

    token_recheck_s: float = 30.0
    """How often the token of an open socket is looked up again."""

    pending_max_bytes: int = 64 * 1024 * 1024
    """Most memory for operations that wait to be stored; above it they are refused as ``busy``."""


get_settings = SettingsReader("CHATSTATE", ChatstateSettings)
"""The site's settings; read once, and again after a change in a test."""
