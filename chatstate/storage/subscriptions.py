"""Which threads a bot listens to."""

from chatstate.protocol.messages import FALSE, NULL, TRUE
from chatstate.protocol.operations import IsSubscribed, Subscribe, Unsubscribe, key_bytes
from chatstate.storage.context import Context
from chatstate.storage.steps import Plan, Statement

SUBSCRIBE = Statement("""
    INSERT INTO chatstate_subscription (namespace, key_digest, thread_id, subscribed_at_ms)
    VALUES (:namespace, :digest, :key, :now) ON CONFLICT (namespace, key_digest) DO NOTHING
""")
UNSUBSCRIBE = Statement("""
    DELETE FROM chatstate_subscription WHERE namespace = :namespace AND key_digest = :digest
""")
IS_SUBSCRIBED = Statement("""
    SELECT 1 FROM chatstate_subscription WHERE namespace = :namespace AND key_digest = :digest
""")


def subscribe(operation: Subscribe, context: Context) -> Plan:
    """Add the thread to those that the bot listens to."""
    parameters = {**context.at(operation.thread_id), "key": key_bytes(operation.thread_id)}
    return Plan((SUBSCRIBE,), parameters, lambda _: NULL)


def unsubscribe(operation: Unsubscribe, context: Context) -> Plan:
    """Take it out."""
    return Plan((UNSUBSCRIBE,), context.at(operation.thread_id), lambda _: NULL)


def is_subscribed(operation: IsSubscribed, context: Context) -> Plan:
    """Is it one of them?"""
    return Plan(
        (IS_SUBSCRIBED,), context.at(operation.thread_id), lambda rows: TRUE if rows[0] else FALSE
    )
