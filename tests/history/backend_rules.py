"""The rule about the backend id: it is the store's identity, a wrong one makes clients wipe."""

from collections.abc import Iterator

from tests.history.evidence import NEVER, Evidence
from tests.history.findings import Finding, Rule


def backend_ids(evidence: Evidence) -> Iterator[Finding]:
    for op, seen, begin, end in _observed_ids(evidence):
        if not _was_valid(evidence, seen, begin, end):
            text = f"the backend id is {seen}, expected {evidence.log.backend_id}"
            yield Finding(Rule.BACKEND_ID, evidence.store, op, text)
    for op, sent, begin in _mismatches(evidence):
        if sent == evidence.log.backend_id and _settled_at(evidence) <= begin:
            text = f"the store's own backend id {sent} was refused as a mismatch"
            yield Finding(Rule.BACKEND_ID, evidence.store, op, text)


def _observed_ids(evidence: Evidence) -> Iterator[tuple[int | None, str, float, float]]:
    """Every backend id that was told, with the time in which it must have been the store's."""
    yield None, evidence.log.backend_id, _settled_at(evidence), NEVER
    for pull in evidence.pulls:
        told = {page.backend_id: page.at for page in reversed(pull.pages)}
        if pull.ended and pull.ended.refusal and pull.ended.refusal.backend_id:
            told[pull.ended.refusal.backend_id] = pull.ended.at
        for backend_id, at in told.items():
            yield pull.invoked.op, backend_id, pull.invoked.at, at
    for push in evidence.pushes:
        if push.refusal and push.refusal.backend_id:
            yield push.invoked.op, push.refusal.backend_id, push.invoked.at, push.answered_at


def _mismatches(evidence: Evidence) -> Iterator[tuple[int, str | None, float]]:
    """Every ``BackendIdMismatchError``: the operation, the id it had sent, when it began."""
    for pull in evidence.pulls:
        if pull.ended and pull.ended.refusal and pull.ended.refusal.backend_id:
            yield pull.invoked.op, pull.invoked.backend_id, pull.invoked.at
    for push in evidence.pushes:
        if push.refusal and push.refusal.backend_id:
            yield push.invoked.op, push.invoked.backend_id, push.invoked.at


def _was_valid(evidence: Evidence, seen: str, begin: float, end: float) -> bool:
    """Whether ``seen`` was the store's id at some moment from ``begin`` to ``end``."""
    resets = evidence.resets
    if not resets:
        return seen == evidence.log.backend_id
    ids = [_first_id(evidence), *(reset.backend_id for reset in resets)]
    since = [-NEVER, *(reset.invoked_at for reset in resets)]
    until = [*(reset.answered_at for reset in resets), NEVER]
    lives = zip(ids, since, until, strict=True)
    return any(seen == name and begin <= last and first <= end for name, first, last in lives)


def _first_id(evidence: Evidence) -> str | None:
    pages = [page for pull in evidence.pulls for page in pull.pages]
    return min(pages, key=lambda page: page.at).backend_id if pages else None


def _settled_at(evidence: Evidence) -> float:
    return evidence.resets[-1].answered_at if evidence.resets else -NEVER
