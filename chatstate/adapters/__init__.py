"""Chat SDK's state adapters for Python bots; they need the package ``chat-sdk``.

``DjangoStateAdapter`` is for a bot inside a Django process that has the database,
``RemoteStateAdapter`` for one anywhere else. The second needs neither Django's settings nor Django,
so each is imported when it is asked for. ``rescue_stranded`` is for a bot with either.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatstate.adapters.in_process import DjangoStateAdapter
    from chatstate.adapters.remote import RemoteStateAdapter
    from chatstate.adapters.rescue import rescue_stranded

__all__ = ["DjangoStateAdapter", "RemoteStateAdapter", "rescue_stranded"]


def __getattr__(name: str) -> Any:
    match name:
        case "DjangoStateAdapter":
            from chatstate.adapters.in_process import DjangoStateAdapter

            return DjangoStateAdapter
        case "RemoteStateAdapter":
            from chatstate.adapters.remote import RemoteStateAdapter

            return RemoteStateAdapter
        case "rescue_stranded":
            from chatstate.adapters.rescue import rescue_stranded

            return rescue_stranded
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
