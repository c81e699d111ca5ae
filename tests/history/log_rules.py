"""Rules about pushes and the final log: nothing lost, doubled, halved, reordered or made up."""

from collections.abc import Iterator

from tests.history.evidence import Attempts, Evidence
from tests.history.findings import Finding, Rule
from tests.history.history import Entry, Push


def uniqueness(evidence: Evidence) -> Iterator[Finding]:
    seen: dict[str, Entry] = {}
    for entry in evidence.log.entries:
        if entry.id in seen:
            text = f"event {entry} is stored again, after {seen[entry.id]}"
            yield Finding(Rule.UNIQUE, evidence.store, None, text)
        seen[entry.id] = entry


def origin(evidence: Evidence) -> Iterator[Finding]:
    pushed = {entry for push in evidence.pushes for entry in push.invoked.batch}
    for entry in evidence.log.entries:
        if entry not in pushed:
            text = f"event {entry} after {entry.parent} was never pushed like this"
            yield Finding(Rule.ORIGIN, evidence.store, None, text)


def acknowledged_batches(evidence: Evidence) -> Iterator[Finding]:
    for batch in evidence.batches:
        if batch.outcome == "ok" and not batch.is_whole:
            text = f"{batch} was acknowledged, but {_damage(batch)}"
            yield Finding(Rule.ACKED, evidence.store, batch.op, text)


def indeterminate_batches(evidence: Evidence) -> Iterator[Finding]:
    # a retry on another head may begin with the very same events: they are the retry's then
    explained = {entry for batch in evidence.stored_batches for entry in batch.batch}
    for batch in evidence.batches:
        found = {entry for entry, at in batch.placed() if at is not None}
        if batch.outcome == "info" and not batch.is_whole and found - explained:
            text = f"{batch} got no answer, and {_damage(batch)}"
            yield Finding(Rule.WHOLE, evidence.store, batch.op, text)


def _damage(batch: Attempts) -> str:
    missing = [str(entry) for entry, at in batch.placed() if at is None]
    if batch.is_absent:
        return "none of it is in the log"
    if missing:
        return f"only a part of it is in the log, without {', '.join(missing)}"
    return f"it is not one piece in order in the log: its events are at {batch.positions}"


def refused_batches(evidence: Evidence) -> Iterator[Finding]:
    rightful = {
        entry for batch in evidence.batches if batch.outcome != "fail" for entry in batch.batch
    }
    for batch in evidence.batches:
        stored = [
            str(entry)
            for entry in batch.batch
            if entry not in rightful and evidence.log.position(entry) is not None
        ]
        if batch.outcome == "fail" and stored:
            why = "refused" if batch.pushes[-1].outcome == "fail" else "to an earlier history"
            text = f"{batch} was {why}, but the log holds {', '.join(stored)}"
            yield Finding(Rule.REFUSED, evidence.store, batch.op, text)


def chain(evidence: Evidence) -> Iterator[Finding]:
    head = 0
    for entry in evidence.log.entries:
        if entry.parent != head:
            text = f"event {entry} continues {entry.parent}, but the event before it is {head}"
            yield Finding(Rule.CHAIN, evidence.store, None, text)
        if entry.seq <= entry.parent:
            text = f"event {entry} is not above its parent {entry.parent}"
            yield Finding(Rule.CHAIN, evidence.store, None, text)
        head = entry.seq


def real_time(evidence: Evidence) -> Iterator[Finding]:
    # from the end of the log, remembering the batch that was acknowledged first so far: if a
    # batch before it was invoked after that, the two are the wrong way round
    first: Attempts | None = None
    for batch in reversed(evidence.stored_batches):
        if first is not None and first.acked_at < batch.invoked_at:
            text = f"{batch} began after {first} (op {first.op}) was acknowledged, but is before it"
            yield Finding(Rule.REAL_TIME, evidence.store, batch.op, text)
        if first is None or batch.acked_at < first.acked_at:
            first = batch


def conflicts(evidence: Evidence) -> Iterator[Finding]:
    heads = {batch.batch[-1].seq for batch in evidence.stored_batches} | {0}
    for push in evidence.pushes:
        told = push.refusal.head if push.refusal else None
        if told is None or not push.invoked.batch or not evidence.is_current(push):
            continue
        if wrong := _wrong_head(evidence, push, told, heads):
            text = f"{push.invoked.client} was refused with head {told}, but {wrong}"
            yield Finding(Rule.CONFLICT, evidence.store, push.invoked.op, text)


def _wrong_head(evidence: Evidence, push: Push, told: int, heads: set[int]) -> str | None:
    parent = push.invoked.batch[0].parent
    known = evidence.acknowledged.before(push.invoked.at)
    if told not in heads:
        return "no batch of this store ends there"
    if told == parent:
        return "its batch continues exactly that"
    if evidence.log.after(told) < known:
        return f"by then {evidence.log.entries[known - 1]} had been acknowledged"
    return None
