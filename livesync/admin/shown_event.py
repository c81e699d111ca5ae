"""An event as the templates show it."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from groundwork import strict_json
from groundwork.pretty_json import pretty
from groundwork.visible_text import visible_html
from livesync.storage.engine import LoggedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvent:
    """An event, its texts escaped, and what cannot be seen in them spelt out."""

    event: LoggedEvent
    name: SafeString
    client_id: SafeString
    session_id: SafeString

    args: SafeString | None
    """Laid out as JSON; None when the event has no args."""

    is_cut: bool
    """Whether ``args`` shows only the beginning."""

    is_broken: bool
    """Whether the args are no JSON; never, as long as only their beginning was read."""


def show(event: LoggedEvent, *, max_chars: int) -> ShownEvent:
    """``event``, with at most ``max_chars`` characters of its args laid out."""
    args, is_cut, is_broken = None, False, False
    if event.args is not None:
        laid_out = pretty(event.args, max_chars=max_chars)
        is_all_read = len(event.args.encode()) == event.args_bytes
        args = visible_html(laid_out.text, is_block=True)
        is_cut = not (is_all_read and laid_out.is_whole)
        is_broken = is_all_read and not _is_json(event.args)
    return ShownEvent(
        event=event,
        name=visible_html(event.name),
        client_id=visible_html(event.client_id),
        session_id=visible_html(event.session_id),
        args=args,
        is_cut=is_cut,
        is_broken=is_broken,
    )


def _is_json(text: str) -> bool:
    try:
        strict_json.loads(text)
    except strict_json.JsonError:
        return False
    return True
