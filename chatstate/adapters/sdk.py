"""What the adapters need of Chat SDK, which not every site installs."""

try:
    from chat_sdk.errors import StateNotConnectedError
    from chat_sdk.types import Lock, Message, QueueEntry, WebhookOptions
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "chatstate.adapters needs Chat SDK: pip install chat-sdk", name=error.name
    ) from error

__all__ = ["Lock", "Message", "QueueEntry", "StateNotConnectedError", "WebhookOptions"]
