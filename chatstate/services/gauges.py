"""The metrics that are a state and not a count: set when somebody is about to look."""

from chatstate import metrics
from chatstate.services.execute import get_writer
from chatstate.sharding import database_aliases


def set_gauges() -> None:
    """Make the gauges of this process say how it stands; from any thread."""
    pending_bytes = sum(get_writer(alias).pending_bytes for alias in database_aliases())
    metrics.PENDING_BYTES.set(pending_bytes)
