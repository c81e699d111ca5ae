"""Show text that people must tell apart: nothing invisible, nothing that moves its neighbours.

Ids and names come from clients. A zero-width joiner or a right-to-left override in one of them
would make it look like another, so such characters are shown as their code points.
"""

import json
import re
import unicodedata

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

# invisible although Unicode counts them as letters, marks or symbols: joiners, fillers, blanks,
# variation selectors (Default_Ignorable_Code_Point and what is drawn as nothing)
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001d159\U000e0100-\U000e01ef]"
)
_SUSPECT = re.compile(r"[^ -~]")
_SUSPECT_OR_BLANK = re.compile(r"[^!-~]|\\")


def visible(text: str) -> str:
    r"""``text`` on one line, what cannot be seen as its code point: ``\u{202e}``.

    Spaces at the ends or beside another space count as unseen. A backslash of the text itself is
    doubled, so that no two texts are shown alike.
    """
    return _SUSPECT_OR_BLANK.sub(_plain_replacement, text)


def in_ascii(text: str) -> str:
    r"""``text`` with every character outside of ASCII as its code point, as ``visible`` does.

    Tells apart what only looks alike: composed and combined accents, wide and narrow letters.
    """
    return _SUSPECT.sub(lambda match: _code_point(match[0]), visible(text))


def visible_json(text: str) -> str:
    """JSON ``text`` on one line, what cannot be seen as its escape; it remains the same JSON."""
    return _SUSPECT.sub(_json_replacement, text)


def visible_html(text: str, *, is_block: bool = False) -> SafeString:
    """``text`` escaped for HTML, each unseen character as a small labelled box.

    Args:
        is_block: the text has lines and indentation of its own, which are kept.
    """
    pattern = _SUSPECT if is_block else _SUSPECT_OR_BLANK
    pieces: list[str] = []
    end = 0
    for match in pattern.finditer(text):
        if match[0] == "\\" or (is_block and match[0] == "\n") or not _is_unseen(match):
            continue
        pieces += (conditional_escape(text[end : match.start()]), _box(match[0]))
        end = match.end()
    pieces.append(conditional_escape(text[end:]))
    return mark_safe("".join(pieces))  # every piece was escaped


def exact_html(text: str) -> SafeString:
    """``visible_html`` as a name on a page: it cannot reorder what is around it.

    Wants the stylesheet ``groundwork/visible_text.css``, as all HTML of this module does.
    """
    return format_html('<bdi class="exact">{}</bdi>', visible_html(text))


def distinct_html(text: str) -> SafeString:
    """``exact_html``, and below it ``in_ascii`` where another text might look the same."""
    if text.isascii():
        return exact_html(text)
    ascii_text = in_ascii(text)
    return format_html('{}<div class="exact in-ascii">{}</div>', exact_html(text), ascii_text)


def _plain_replacement(match: re.Match[str]) -> str:
    if match[0] == "\\":
        return "\\\\"
    return _code_point(match[0]) if _is_unseen(match) else match[0]


def _json_replacement(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\t\n\r":  # between the tokens: within a string they are escaped already
        return " "
    return json.dumps(character)[1:-1] if _is_unseen(match) else character


def _is_unseen(match: re.Match[str]) -> bool:
    character = match[0]
    if character == " ":
        text, place = match.string, match.start()
        neighbours = text[max(place - 1, 0) : place] or " ", text[place + 1 : place + 2] or " "
        return " " in neighbours
    return not character.isprintable() or _BLANK.match(character) is not None


def _code_point(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"


def _box(character: str) -> SafeString:
    return format_html(
        '<span class="code-point" title="{}">U+{}</span>',
        unicodedata.name(character, "a character without a name"),
        f"{ord(character):04X}",
    )
