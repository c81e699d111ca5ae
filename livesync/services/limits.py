"""What a message may hold at most on this site."""

from livesync.conf import get_settings
from livesync.protocol.messages import Limits


def get_limits() -> Limits:
    """The limits of a message, whichever way it comes: as a frame, a body, a call or a file."""
    settings = get_settings()
    return Limits(settings.field_max_bytes, settings.args_max_depth, settings.payload_max_depth)
