"""Django signals about what has happened; each is sent after the commit.

Guarantees, the same for all:

- **After the commit, at most once.** What a receiver hears of is stored. A process that is killed
  takes with it what it has not sent; nothing is sent again.
- **In the process where it happened.** Other processes hear nothing of it.
- **In order.** The pushes of one store are sent in the order of their commits, as far as this
  process has stored them, and a client is connected before it is disconnected. A reset may overtake
  pushes that were stored just before it: the backend id tells which history they belong to.
- **In a thread of its own**, one signal after the other. Nobody waits for a receiver, neither a
  client nor a commit. It may use the database, and may be ``async``. One that raises is logged, and
  harms no other. While receivers are slow, signals wait, up to ``LIVESYNC["signals_max_bytes"]``;
  above that they are dropped, counted, and logged.
- **No cost** while nobody listens.
"""

from django.dispatch import Signal

events_pushed = Signal()
"""A batch of events was stored; not for an empty one, nor for events that are imported.

Sent by ``livesync.models.Store`` with ``store_id``, ``backend_id``, ``events`` (a sequence of
``livesync.protocol.events.Event``, oldest first, not to be changed), ``parent`` (the head before),
``head`` (the head after) and ``created_at``.
"""

store_created = Signal()
"""A client has spoken of a store that was not there before.

Sent by ``livesync.models.Store`` with ``store_id`` and ``backend_id``. Not for stores that are
imported.
"""

store_reset = Signal()
"""A store has begun a new history.

Sent by ``livesync.models.Store`` with ``store_id``, ``old_backend_id``, ``backend_id``,
``event_count`` (of the history that has ended) and ``by`` (who wanted it, in words).
"""

client_connected = Signal()
"""A socket was accepted. HTTP has no connections, so its clients are not told of.

Sent by the class that serves the socket, such as ``livesync.transports.consumers.SyncConsumer``,
with ``context`` (a ``livesync.hooks.Context``) and ``connected_at``.
"""

client_disconnected = Signal()
"""That socket is closed, from whichever side; not when the process is killed.

Sent as ``client_connected``, with the same ``context`` object, ``connected_at`` and
``disconnected_at``.
"""
