"""The metrics that are a state and not a count: set when somebody is about to look."""

from livesync import metrics
from livesync.services.append import get_writer
from livesync.services.hub import all_hubs


def set_gauges() -> None:
    """Make the gauges of this process say how it stands; from any thread."""
    hubs = all_hubs()
    metrics.LIVE_PULLS.set(sum(hub.count() for hub in hubs))
    metrics.HINTS_DEGRADED.set(any(hub.is_degraded for hub in hubs))
    metrics.PENDING_BYTES.set(get_writer().pending_bytes)
