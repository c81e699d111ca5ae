"""Messages that Chat SDK has left in a queue, given to the bot again."""

from typing import TYPE_CHECKING, Any

from chatstate.adapters.sdk import Message, WebhookOptions

if TYPE_CHECKING:
    from chat_sdk import Chat

_HISTORY = "msg-history:"
"""Chat SDK's own prefix for the lists of thread and channel history."""


def rescue_stranded(chat: "Chat") -> None:
    """Give stranded messages to the bot again, from now on.

    Chat SDK leaves a message in the queue if it comes between the last look of the lock's holder
    into the queue and the release of the lock (vercel/chat#928). The adapter is told. Then the
    entries are taken out, oldest first, and handed to ``chat.process_message``: the first gets the
    lock, the others wait in the queue for it, as if they had all just come. Each was claimed as
    seen when it first came, so the claim is taken back; history is not written again.

    What it cannot do: a process that dies between taking a message out and handling it loses the
    message, as Chat's own handling of the queue does.

    Raises:
        TypeError: the bot's state is no adapter of ours.
    """
    state: Any = chat.get_state()
    if not hasattr(state, "add_stranded_handler"):
        raise TypeError("rescue_stranded needs a Chat whose state is an adapter of chatstate")
    state.add_stranded_handler(_Rescue(chat, state).run)


class _Rescue:
    def __init__(self, chat: "Chat", state: Any) -> None:
        self._chat = chat
        self._state = state
        # the queues that are being emptied; true if one was reported again meanwhile
        self._running: dict[str, bool] = {}

    async def run(self, lock_key: str) -> None:
        if lock_key in self._running:
            self._running[lock_key] = True
            return
        self._running[lock_key] = True
        try:
            while self._running[lock_key]:
                self._running[lock_key] = False
                await self._empty(lock_key)
        finally:
            del self._running[lock_key]

    async def _empty(self, lock_key: str) -> None:
        name = lock_key.partition(":")[0]
        platform = self._chat.get_adapter(name)
        if platform is None:  # another bot of the namespace may have it
            raise LookupError(f"this bot has no platform {name!r}")
        # all of them first: one that has to wait for the lock again goes back into this queue
        messages: list[Message] = []
        try:
            while (entry := await self._state.dequeue(lock_key)) is not None:
                messages.append(entry.message)
        finally:
            # also if the connection failed: what was taken out is nowhere else
            for message in messages:
                self._process(platform, message)

    def _process(self, platform: Any, message: Message) -> None:
        passed_over: list[tuple[str, str]] = []

        async def unclaimed() -> Message:
            await self._state.delete(f"dedupe:{platform.name}:{message.id}")
            passed_over.extend(_history_of(platform, message))
            for key, message_id in passed_over:
                self._state.pass_over(key, message_id)
            _rehydrate_attachments(platform, message)
            return message

        def take_back(done: object) -> None:
            for key, message_id in passed_over:
                self._state.pass_over(key, message_id, no_more=True)

        def watch(task: Any) -> None:  # Chat says Awaitable, and gives a task
            task.add_done_callback(take_back)

        # Chat logs an error of the handler
        options = WebhookOptions(wait_until=watch)
        self._chat.process_message(platform, message.thread_id, unclaimed, options)


def _history_of(platform: Any, message: Message) -> list[tuple[str, str]]:
    keeps = ("persist_thread_history", "persist_message_history")
    if not any(getattr(platform, name, None) for name in keeps):
        return []
    lists = {message.thread_id, platform.channel_id_from_thread_id(message.thread_id)}
    return [(_HISTORY + list_id, message.id) for list_id in lists]


def _rehydrate_attachments(platform: Any, message: Message) -> None:
    # as Chat does with what it takes out: the way to the content does not survive JSON
    rehydrate = getattr(platform, "rehydrate_attachment", None)
    if rehydrate is not None:
        message.attachments = [
            each if each.fetch_data is not None else rehydrate(each) for each in message.attachments
        ]
