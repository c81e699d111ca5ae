"""What a site may tune, in ``settings.LIVESYNC``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from groundwork.settings import SettingsReader


@dataclass(frozen=True, slots=True, kw_only=True)
class LivesyncSettings:
    """Everything a site may tune, read once from ``settings.LIVESYNC``."""

    hooks: str = "livesync.hooks.Hooks"
    """Dotted path of the site's Hooks class."""

    shared_secret: str = field(default="", repr=False)
    """For the kind ``shared-secret`` of ``auth``: what lets in; at least 16 characters."""

    admin_secret: str = field(default="", repr=False)
    """Turns the admin messages on, for whoever knows it; at least 16 characters."""

    auth: tuple[str, ...] = ()
    """For ``livesync.auth.hooks.AuthHooks``: what lets in, each tried in turn: ``session``,
    ``jwt``, ``store-token``, ``drf-token``, ``shared-secret``, or dotted paths of your own."""

    store_permissions: bool = False
    """For the same: whether the table of store permissions must allow it as well."""

    auth_recheck_s: float = 30.0
    """How often it is looked up again whether the caller of an open socket may still sync."""

    jwt_algorithms: tuple[str, ...] = ()
    """Algorithms that a JSON Web Token may be signed with, as ``RS256``; any other is refused."""

    jwt_keys: tuple[str, ...] = field(default=(), repr=False)
    """What verifies them: public keys in PEM (RS, PS, ES, EdDSA), or secrets (HS)."""

    jwt_jwks: Mapping[str, Any] = field(default_factory=dict)
    """A JSON Web Key Set that verifies them, ``{"keys": [...]}``."""

    jwt_jwks_url: str = ""
    """Where the issuer publishes its key set; ``https:``, or ``http:`` on this machine."""

    jwt_jwks_max_age_s: float = 600.0
    """How old the fetched set may get; an unknown key id fetches it anew, every 10 s at most."""

    jwt_jwks_timeout_s: float = 5.0
    """How long a fetch may take."""

    jwt_issuer: str = ""
    """What ``iss`` must be; empty for any."""

    jwt_audience: str = ""
    """What ``aud`` must be or hold; empty for any, also that of other apps of the issuer."""

    jwt_leeway_s: float = 10.0
    """How far the clocks of the issuer and of this server may be apart."""

    jwt_grace_s: float = 0.0
    """How long after ``exp`` a token lets in a client that was offline meanwhile."""

    jwt_claims_prefix: str = ""
    """What stands before the claims ``stores``, ``store_prefixes`` and ``access``."""

    open_to_network: bool = False
    """In development, let other machines sync although no authentication is chosen, and pages that
    this machine serves to them."""

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may connect, as ``https://app.example``; ``*`` for any. With DEBUG every
    loopback origin may as well. A request without an Origin comes from no page."""

    cors: bool = False
    """Answer preflights, and put Access-Control-Allow-Origin on every sync answer over HTTP."""

    cors_headers: tuple[str, ...] = ()
    """Request headers that pages may send besides those that LiveStore's client sends."""

    enabled_transports: tuple[str, ...] = ("ws", "http", "rpc")
    """How clients may talk: over WebSocket, HTTP, RPC."""

    forward_headers: tuple[str, ...] = ()
    """Request headers that hooks find in the context after the handshake."""

    response_headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to put on every sync answer over HTTP."""

    page_max_events: int = 100
    """Most events in one page; LiveStore's own servers send at most 100."""

    page_max_bytes: int = 900_000
    """Most UTF-8 bytes in one encoded page; leaves room below a 1 MB frame."""

    read_max_events: int = 1_000
    """Most events read from the database at a time, to be sent page by page."""

    read_max_bytes: int = 1_000_000
    """Most bytes of events read at a time, more only for one event that is larger itself."""

    frame_max_bytes: int = 1_048_576
    """Most bytes of a WebSocket frame or an HTTP body from a client."""

    store_id_max_bytes: int = 512
    """Most UTF-8 bytes of a store id; PostgreSQL cannot index more than about 2,700."""

    payload_max_bytes: int = 8_192
    """Most bytes of the client's own payload in a URL."""

    payload_max_depth: int = 64
    """Deepest nesting of that payload."""

    field_max_bytes: int = 1_024
    """Most UTF-8 bytes of an event's name, client id or session id."""

    args_max_depth: int = 512
    """Deepest nesting of an event's args."""

    pending_max_bytes: int = 67_108_864
    """Most bytes of pushes, about, that wait in a process to be stored; above, a push is told to
    try again later."""

    signals_max_bytes: int = 67_108_864
    """Most bytes of Django signals, about, that wait in a process for slow receivers; above, they
    are dropped."""

    requests_per_socket: int = 64
    """Most pushes and pulls under way on one socket, live pulls not counted."""

    live_pulls_per_socket: int = 16
    """Most live pulls on one socket, and of one ``StoreRpc``; a client opens one."""

    live_window_chunks: int = 64
    """Most chunks of a live pull that wait for an Ack; above, it goes back to reading pages."""

    live_window_bytes: int = 4_000_000
    """Most bytes of such chunks."""

    ack_timeout_s: float = 30.0
    """A socket that leaves a chunk unacknowledged for so long is closed."""

    idle_timeout_s: float = 60.0
    """A socket without any frame for so long is closed; clients ping every 10 s."""

    pings_per_second: int = 1_000
    """A socket that pings more often is closed."""

    reconcile_interval_s: float = 5.0
    """How often a process compares its live pulls with the database, for hints that were lost."""

    retry_budget_s: float = 8.0
    """How long an HTTP request is tried again after a passing fault; clients give up at 10 s."""

    hook_threads: int = 16
    """Threads for hooks that are not async; when all are busy, such hooks wait for one."""

    hook_timeout_s: float = 30.0
    """How long a hook may take; then what it was asked about is refused."""

    engine: str = "database"
    """Where new stores are kept: ``database``, ``files``, or the dotted path of a function that is
    called with a store id and returns one of the two. Stores stay where they are; see
    ``move_store``."""

    files_directory: str = ""
    """Directory of the stores' files, by its absolute path; without one no store can be kept in
    files."""

    files_max_open: int = 256
    """Most connections to stores' files in a process, each with three file handles."""

    readers: int = 4
    """Threads that read, each with its own database connection."""


get_settings = SettingsReader("LIVESYNC", LivesyncSettings)
