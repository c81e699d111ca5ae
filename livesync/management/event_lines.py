"""An event as one line of a terminal: nothing in it can move the cursor or hide."""

import json

from groundwork.visible_text import visible, visible_json
from livesync.client import PulledEvent


def text_line(event: PulledEvent) -> str:
    """For people: number, instant, client, name, args."""
    columns = (
        f"{event.seq_num:>6}",
        visible(event.created_at or "-"),
        visible(event.client_id),
        visible(event.name),
        "" if event.args is None else visible_json(event.args),
    )
    return "  ".join(columns).rstrip()


def json_line(event: PulledEvent) -> str:
    """For programs: one object, without ``args`` where there are none."""
    members = {
        "seq_num": event.seq_num,
        "parent_seq_num": event.parent_seq_num,
        "name": event.name,
        "client_id": event.client_id,
        "session_id": event.session_id,
        "created_at": event.created_at,
        "backend_id": event.backend_id,
    }
    text = json.dumps(members)
    # the args as they are: whoever reads them may care how a number was written
    return text if event.args is None else f'{text[:-1]}, "args": {visible_json(event.args)}}}'
