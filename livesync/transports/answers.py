"""What a request on its own comes to, over HTTP or by RPC: its messages in, their answers out."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence

from livesync.conf import get_settings
from livesync.hooks import Context
from livesync.protocol import rpc
from livesync.protocol.binding import Binding
from livesync.protocol.calls import (
    AdminCall,
    Call,
    PingCall,
    Pull,
    Push,
    Refused,
    read_call,
    unknown_tag,
)
from livesync.protocol.errors import CommitUnknownError, LivesyncError
from livesync.protocol.messages import (
    ADMIN_RESET_ANSWER,
    PING_ANSWER,
    PUSH_ACK,
    encode_admin_info,
)
from livesync.protocol.rpc import Malformed, Message, Ping, RequestId, TooMany
from livesync.services import admin_messages
from livesync.services.connection import Connection
from livesync.services.limits import get_limits

logger = logging.getLogger(__name__)

Asked = Call | Refused | Ping
Framing = Callable[[RequestId, str], str]
"""Makes a chunk of a request and a page."""


def read_calls(messages: Sequence[Message], *, procedures: str, binding: Binding) -> list[Asked]:
    """Read what the messages of one request ask for. Acks and the like ask nothing."""
    limits = get_limits()
    asked: list[Asked] = []
    for message in messages:
        match message:
            case Ping():
                asked.append(message)
            case Malformed() | TooMany():
                asked.append(Refused(message.answer))
            case rpc.Request():
                asked.append(
                    read_call(message, procedures=procedures, binding=binding, limits=limits)
                )
    return asked


def speaks_for_another(asked: Sequence[Asked], store_id: str) -> bool:
    """Whether one of the messages names another store or payload than its URL; that is logged."""
    if not any(isinstance(call, Refused) and call.close for call in asked):
        return False
    logger.warning(
        "a request to store %r speaks for another store or payload than its URL", store_id
    )
    return True


async def carry_out(
    asked: Sequence[Asked], connection: Connection, *, frame_page: Framing = rpc.chunk
) -> AsyncIterator[str]:
    """Carry out one after the other; gives the answers as JSON.

    Raises:
        CommitUnknownError: a push may have been stored; what follows it is not carried out.
    """
    for call in asked:
        match call:
            case Ping():
                yield rpc.PONG
            case Refused(frame):
                yield frame
            case PingCall(request_id):
                yield rpc.exit_success(request_id, PING_ANSWER)
            case Push():
                yield await _push(call, connection)
            case AdminCall():
                yield await _administer(call, connection)
            case Pull():
                async for text in _pull(call, connection, frame_page):
                    yield text


async def _push(push: Push, connection: Connection) -> str:
    try:
        await connection.push(push, retry_for_s=get_settings().retry_budget_s)
    except CommitUnknownError:
        raise
    except LivesyncError as error:
        return rpc.exit_fail(push.request_id, error)
    except Exception as error:
        logger.exception("a push failed")
        return rpc.exit_fail(push.request_id, error)
    return rpc.exit_success(push.request_id, PUSH_ACK)


async def _administer(call: AdminCall, connection: Connection) -> str:
    if not admin_messages.is_enabled():
        return rpc.exit_die(call.request_id, unknown_tag(call.tag))
    try:
        admin_messages.check_secret(call.secret, connection.context)
        return rpc.exit_success(call.request_id, await _carry_out_deed(call, connection.context))
    except LivesyncError as error:
        return rpc.exit_fail(call.request_id, error)
    except Exception as error:
        logger.exception("an admin message failed")
        return rpc.exit_fail(call.request_id, error)


async def _carry_out_deed(call: AdminCall, context: Context) -> str:
    if call.deed == "AdminInfo":
        return encode_admin_info(await admin_messages.describe_store(context))
    await admin_messages.reset_by_message(context)
    return ADMIN_RESET_ANSWER


async def _pull(pull: Pull, connection: Connection, frame_page: Framing) -> AsyncIterator[str]:
    budget_s = get_settings().retry_budget_s
    try:
        async for page in connection.pull(pull, retry_for_s=budget_s):
            yield frame_page(pull.request_id, page.text)
    except LivesyncError as error:
        yield rpc.exit_fail(pull.request_id, error)
    except Exception as error:
        logger.exception("a pull of store %r failed", connection.store_id)
        yield rpc.exit_fail(pull.request_id, error)
    else:
        yield rpc.exit_success(pull.request_id)
