"""What is counted and timed, in Prometheus' terms; a name ends in its unit.

No label names a namespace, a thread or a key: those are without number. What happens for each
operation is counted once for each commit, which many operations share.
"""

from prometheus_client import Counter, Gauge, Histogram

_DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

OPERATIONS = Counter("chatstate_operations_total", "Operations that were carried out or refused.")
REFUSED = Counter("chatstate_refused_operations_total", "Operations of those that were refused.")
COMMIT_DURATION = Histogram(
    "chatstate_commit_duration_seconds",
    "Time to carry out the operations that waited, in one transaction.",
    buckets=_DURATIONS_S,
)
COMMIT_FAULTS = Counter(
    "chatstate_commit_faults_total", "Transactions that failed; their operations may be repeated."
)
PENDING_BYTES = Gauge(
    "chatstate_pending_bytes",
    "Memory of operations that wait to be carried out, about.",
    multiprocess_mode="livesum",
)
SOCKETS = Gauge("chatstate_sockets", "Open sockets of bots.", multiprocess_mode="livesum")
