"""How long an adapter waits before it tries again."""

from groundwork.backoff import Backoff

REPEAT_FOR_S = 45.0
"""How long an operation may be repeated: answers are kept for 60 s, clocks and networks apart."""

REFUSED = Backoff(first_s=0.05, most_s=2.0)
"""Between two attempts at an operation that was refused for the moment."""

RECONNECT = Backoff(first_s=0.1, most_s=3.0)
"""Between two attempts to connect."""
