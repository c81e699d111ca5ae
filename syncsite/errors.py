"""Why the site does not start."""


class StartRefusedError(Exception):
    """Starting would do harm or cannot work; the message says why, and what to do."""
