"""What Chat SDK's state adapters promise: one suite that runs against every way in.

A subject is one way in: an adapter of npm or Python, the protocol over sockets of two servers that
share a database, the services themselves. The suite asks all of them the same; two adapters that
others have published, ``@chat-adapter/state-memory`` and ``@chat-adapter/state-redis``, show that
what it asks is what bots are used to. ``differences.py`` lists where a subject answers otherwise.

Nothing here waits for a length of time. What has to expire is asked for until it has; what must
not expire has an hour; and that an old ttl has passed is known by something that was stored after
it with the same ttl (``expiry.outlive``).
"""
