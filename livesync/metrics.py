"""What is counted and timed, in Prometheus' terms; a name ends in its unit.

No label names a store or a client: those are without number. What happens for each push is counted
once for each commit, which many pushes share.
"""

from prometheus_client import Counter, Gauge, Histogram

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

PUSHES = Counter("livesync_pushes_total", "Pushes that were stored.")
PUSHED_EVENTS = Counter("livesync_push_events_total", "Events that were stored.")
_CONFLICTS = Counter(
    "livesync_push_conflicts_total", "Pushes told to pull first, or to start over.", ["error"]
)
SERVER_AHEAD = _CONFLICTS.labels("ServerAheadError")
BACKEND_ID_MISMATCH = _CONFLICTS.labels("BackendIdMismatchError")
OVERLOADS = Counter("livesync_push_overloads_total", "Pushes refused because too much was waiting.")

COMMIT_DURATION = Histogram(
    "livesync_commit_duration_seconds",
    "Time to store the pushes that waited, in one transaction.",
    buckets=_DURATIONS_S,
)
COMMIT_FAULTS = Counter(
    "livesync_commit_faults_total", "Transactions that failed; their pushes may be tried again."
)
PENDING_BYTES = Gauge(
    "livesync_push_pending_bytes",
    "Memory of pushes that wait to be stored, about.",
    multiprocess_mode="livesum",
)

READ_DURATION = Histogram(
    "livesync_read_duration_seconds",
    "Time until a read of stored events was back, its wait for a free reader included.",
    buckets=_DURATIONS_S,
)
READ_EVENTS = Counter("livesync_read_events_total", "Stored events that were read for pulls.")
CLIENT_AHEAD = Counter(
    "livesync_client_ahead_total", "Reads of a client that has seen more than is stored."
)

SIGNALS_DROPPED = Counter(
    "livesync_signals_dropped_total", "Django signals that were not sent: too many were waiting."
)

LIVE_PULLS = Gauge("livesync_live_pulls", "Open live pulls.", multiprocess_mode="livesum")
HINT_FAULTS = Counter("livesync_hint_faults_total", "Calls of the channel layer that failed.")
HINTS_DEGRADED = Gauge(
    "livesync_hints_degraded_processes",
    "Processes whose hints do not reach the others at present.",
    multiprocess_mode="livesum",
)
