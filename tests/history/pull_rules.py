"""Rules about reads and live pulls: each is the log right after its cursor."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.history.evidence import Evidence
from tests.history.findings import Finding, Rule
from tests.history.history import Entry, Pull


def reads(evidence: Evidence) -> Iterator[Finding]:
    for pull in evidence.pulls:
        if not pull.invoked.live:
            for text in (*_wrong_order(evidence, pull), *_incomplete_read(evidence, pull)):
                yield Finding(Rule.READ, evidence.store, pull.invoked.op, _of(pull, text))


def live_pulls(evidence: Evidence) -> Iterator[Finding]:
    for pull in evidence.pulls:
        if pull.invoked.live:
            for text in (*_wrong_order(evidence, pull), *_incomplete_live_pull(evidence, pull)):
                yield Finding(Rule.LIVE, evidence.store, pull.invoked.op, _of(pull, text))


def _of(pull: Pull, text: str) -> str:
    return f"{pull.invoked.client}, reading after {pull.invoked.cursor}, {text}"


def _wrong_order(evidence: Evidence, pull: Pull) -> Iterator[str]:
    """The first place where a pull is not the piece of the log right after its cursor."""
    if evidence.current_pages(pull) != list(pull.pages):
        yield from _descent(pull)  # an earlier history's: its log is not known any more
        return
    start = evidence.log.after(pull.invoked.cursor)
    delivered = pull.entries
    expected = evidence.log.entries[start : start + len(delivered)]
    if delivered == expected:
        return
    at = next(
        (
            at
            for at, pair in enumerate(zip(delivered, expected, strict=False))
            if len(set(pair)) > 1
        ),
        len(expected),
    )
    yield _difference(evidence, delivered, at=at, position=start + at)


def _descent(pull: Pull) -> Iterator[str]:
    cursor = pull.invoked.cursor
    numbers = [cursor or 0, *(entry.seq for entry in pull.entries)]
    for before, after in pairwise(numbers):
        if after <= before:
            yield f"got number {after} after {before}"


def _difference(evidence: Evidence, delivered: Sequence[Entry], *, at: int, position: int) -> str:
    entry = delivered[at]
    found = evidence.log.position(entry)
    if entry in delivered[:at]:
        return f"got {entry} twice"
    if found is None:
        return f"got {entry}, which is not in the log"
    if found < position:
        return f"got {entry} out of order or from before its cursor"
    return f"got {entry} without the {found - position} event(s) before it"


def _incomplete_read(evidence: Evidence, pull: Pull) -> Iterator[str]:
    if pull.outcome != "ok":
        return
    if [page.last for page in pull.pages] != [False] * (len(pull.pages) - 1) + [True]:
        yield "did not end with its only NoMore page"
    yield from _stale(evidence, pull, pull.entries)


def _incomplete_live_pull(evidence: Evidence, pull: Pull) -> Iterator[str]:
    if pull.outcome == "ok":
        yield "was ended by the server without being asked"
    caught_up = next((at for at, page in enumerate(pull.pages, 1) if page.last), None)
    if caught_up is not None:
        stored = tuple(entry for page in pull.pages[:caught_up] for entry in page.entries)
        yield from _stale(evidence, pull, stored)
    end = evidence.log.after(pull.invoked.cursor) + len(pull.entries)
    missing = evidence.log.entries[end:]
    if pull.outcome == "final" and missing:
        yield f"still waits for {len(missing)} event(s), from {missing[0]}, when all is over"


def _stale(evidence: Evidence, pull: Pull, entries: Sequence[Entry]) -> Iterator[str]:
    if not pull.pages or evidence.current_pages(pull) != list(pull.pages):
        return
    end = evidence.log.after(pull.invoked.cursor) + len(entries)
    acknowledged = evidence.acknowledged.before(pull.invoked.at)
    if end < acknowledged:
        newest = evidence.log.entries[acknowledged - 1]
        yield f"was told that is all, without {newest}, which was acknowledged before it asked"
    seen = evidence.seen[pull.invoked.client].before(pull.invoked.at)
    if end < seen:
        newest = evidence.log.entries[seen - 1]
        yield f"was told that is all, without {newest}, which it had seen before it asked"
