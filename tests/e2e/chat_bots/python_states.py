"""The state adapters that a Python bot may be given."""

import functools
from typing import Any

from chat_sdk.state.memory import MemoryStateAdapter
from chat_sdk.types import StateAdapter


def open_state(kind: str, **options: Any) -> StateAdapter:
    """The adapter that ``kind`` names; each call makes its own, but for memory."""
    makers = {"memory": _memory, "django": _remote, "direct": _direct}
    return makers[kind](**options)


@functools.cache
def _memory(*, name: str) -> StateAdapter:
    # one for all bots of this process that give the same name: memory is all they could share
    return MemoryStateAdapter()


def _remote(*, url: str, token: str) -> StateAdapter:
    from chatstate.adapters import RemoteStateAdapter

    return RemoteStateAdapter(url=url, token=token)


def _direct(*, namespace: str) -> StateAdapter:
    import django

    django.setup()
    from chatstate.adapters import DjangoStateAdapter

    return DjangoStateAdapter(namespace=namespace)
