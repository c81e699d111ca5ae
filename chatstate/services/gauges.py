"""The metrics that are a state and not a count: set when somebody is about to look."""

from chatstate import metrics
from chatstate.conf import get_settings
from chatstate.services.execute import get_writer


def set_gauges() -> None:
    """Make the gauges of this process say how it stands; from any thread."""
    aliases = set(get_settings().shards.values())
    metrics.PENDING_BYTES.set(sum(get_writer(alias).pending_bytes for alias in aliases))
