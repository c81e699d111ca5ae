"""Lies for the checker to catch: each takes a true history and makes one thing in it false."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from tests.history.checker import Rule
from tests.history.evidence import Attempts, Evidence
from tests.history.history import (
    AnyRecord,
    Entry,
    FinalLog,
    History,
    PageReceived,
    Pull,
    PullEnded,
    PullInvoked,
    PushAnswered,
    PushInvoked,
    Refusal,
)

T = TypeVar("T")


class NotApplicableError(Exception):
    """The history has nothing that this mutation could change."""


@dataclass(slots=True)
class Scene:
    """A history and the final logs, to be changed in place."""

    records: list[AnyRecord]
    logs: list[FinalLog]
    random: random.Random

    def choose(self, candidates: Sequence[T]) -> T:
        """Any of the candidates.

        Raises:
            NotApplicableError: there are none.
        """
        if not candidates:
            raise NotApplicableError
        return self.random.choice(candidates)

    def evidences(self) -> Iterator[tuple[int, Evidence]]:
        """Each store's evidence, with the place of its log."""
        history = History(self.records)
        return ((at, Evidence(history, log)) for at, log in enumerate(self.logs))

    def batches(self, wanted: Callable[[Attempts], bool]) -> list[tuple[int, Attempts]]:
        """The batches that ``wanted`` says yes to, with the place of their store's log."""
        return [
            (at, batch)
            for at, evidence in self.evidences()
            for batch in evidence.batches
            if wanted(batch)
        ]

    def pulls(self, wanted: Callable[[Evidence, Pull], bool]) -> list[Pull]:
        """The pulls that ``wanted`` says yes to."""
        return [
            pull
            for _, evidence in self.evidences()
            for pull in evidence.pulls
            if wanted(evidence, pull)
        ]

    def set_log(self, at: int, entries: Sequence[Entry]) -> None:
        self.logs[at] = replace(self.logs[at], entries=tuple(entries))

    def swap_record(self, old: AnyRecord, new: AnyRecord) -> None:
        self.records[next(at for at, it in enumerate(self.records) if it is old)] = new

    def set_pages(self, pull: Pull, entries: Sequence[Entry]) -> None:
        """Let all of a pull arrive as one page, at the time of its last one."""
        self.swap_record(pull.pages[-1], replace(pull.pages[-1], entries=tuple(entries)))
        for page in pull.pages[:-1]:
            self.records.remove(page)

    def rename(self, store: str, old: Entry, new: Entry) -> None:
        """Let everybody agree that it was always ``new``."""

        def renamed(entries: Sequence[Entry]) -> tuple[Entry, ...]:
            return tuple(new if entry == old else entry for entry in entries)

        ops = {
            record.op
            for record in self.records
            if isinstance(record, PushInvoked | PullInvoked) and record.store == store
        }
        for at, record in enumerate(self.records):
            if isinstance(record, PushInvoked) and record.op in ops:
                self.records[at] = replace(record, batch=renamed(record.batch))
            elif isinstance(record, PageReceived) and record.op in ops:
                self.records[at] = replace(record, entries=renamed(record.entries))
        self.logs = [
            replace(log, entries=renamed(log.entries)) if log.store == store else log
            for log in self.logs
        ]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One lie, and the rule that must catch it."""

    rule: Rule
    apply: Callable[[Scene], None]

    @property
    def name(self) -> str:
        return self.apply.__name__


MUTATIONS: list[Mutation] = []


def caught_by(rule: Rule) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Put a mutation on the list."""

    def add(apply: Callable[[Scene], None]) -> Callable[[Scene], None]:
        MUTATIONS.append(Mutation(rule, apply))
        return apply

    return add


def mutate(
    mutation: Mutation, history: History, logs: Sequence[FinalLog], *, seed: int
) -> tuple[History, list[FinalLog]]:
    """The history and the logs with the mutation in them.

    Raises:
        NotApplicableError: there is nothing in them that it could change.
    """
    scene = Scene(list(history.records), list(logs), random.Random(seed))
    mutation.apply(scene)
    return History(scene.records), scene.logs


def acknowledged(batch: Attempts) -> bool:
    return batch.outcome == "ok"


def is_complete_read(evidence: Evidence, pull: Pull) -> bool:
    return not pull.invoked.live and pull.outcome == "ok" and len(pull.entries) >= 3


def is_live_stream(evidence: Evidence, pull: Pull) -> bool:
    return pull.invoked.live and len(pull.entries) >= 3


@caught_by(Rule.UNIQUE)
def an_event_is_stored_twice(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(acknowledged))
    head = scene.logs[at].entries[-1].seq
    again = Entry(scene.random.choice(batch.batch).id, head + 1, head)
    scene.set_log(at, [*scene.logs[at].entries, again])


@caught_by(Rule.ORIGIN)
def an_event_comes_from_nowhere(scene: Scene) -> None:
    at = scene.random.randrange(len(scene.logs))
    head = scene.logs[at].entries[-1].seq
    scene.set_log(at, [*scene.logs[at].entries, Entry("phantom", head + 1, head)])


@caught_by(Rule.ORIGIN)
def an_event_is_stored_under_another_number(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(acknowledged))
    changed = [
        Entry(entry.id, entry.seq + 100_000, entry.parent) if entry == batch.batch[0] else entry
        for entry in scene.logs[at].entries
    ]
    scene.set_log(at, changed)


@caught_by(Rule.ACKED)
def an_acknowledged_event_is_lost(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(acknowledged))
    lost = scene.random.choice(batch.batch)
    scene.set_log(at, [entry for entry in scene.logs[at].entries if entry != lost])


@caught_by(Rule.ACKED)
def the_newest_acknowledged_batches_are_lost(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(acknowledged))
    first = batch.positions[0]
    scene.set_log(at, scene.logs[at].entries[:first])


@caught_by(Rule.ACKED)
def half_of_an_acknowledged_batch_is_lost(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(lambda it: acknowledged(it) and len(it.batch) > 1))
    lost = batch.batch[len(batch.batch) // 2 :]
    scene.set_log(at, [entry for entry in scene.logs[at].entries if entry not in lost])


@caught_by(Rule.ACKED)
def two_events_of_a_batch_change_places(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(lambda it: acknowledged(it) and len(it.batch) > 1))
    first = batch.positions[0] or 0
    entries = list(scene.logs[at].entries)
    entries[first], entries[first + 1] = entries[first + 1], entries[first]
    scene.set_log(at, entries)


@caught_by(Rule.ACKED)
def a_foreign_event_stands_inside_a_batch(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(lambda it: acknowledged(it) and len(it.batch) > 1))
    entries = [entry for entry in scene.logs[at].entries if entry not in batch.batch]
    if not entries:
        raise NotApplicableError
    scene.set_log(at, [batch.batch[0], *entries, *batch.batch[1:]])


@caught_by(Rule.REFUSED)
def a_refused_batch_is_stored(scene: Scene) -> None:
    at, batch = scene.choose(scene.batches(lambda it: it.outcome == "fail" and it.is_absent))
    scene.set_log(at, [*scene.logs[at].entries, *batch.batch])


@caught_by(Rule.WHOLE)
def half_of_an_unanswered_batch_is_stored(scene: Scene) -> None:
    at, batch = scene.choose(
        scene.batches(lambda it: it.outcome == "info" and it.is_absent and len(it.batch) > 1)
    )
    half = batch.batch[: len(batch.batch) // 2]
    scene.set_log(at, [*scene.logs[at].entries, *half])


@caught_by(Rule.WHOLE)
def half_of_an_unanswered_batch_is_lost(scene: Scene) -> None:
    at, batch = scene.choose(
        scene.batches(lambda it: it.outcome == "info" and it.is_whole and len(it.batch) > 1)
    )
    scene.set_log(at, [it for it in scene.logs[at].entries if it != batch.batch[-1]])


@caught_by(Rule.CHAIN)
def everybody_agrees_on_a_broken_parent(scene: Scene) -> None:
    log = scene.choose([log for log in scene.logs if len(log.entries) > 2])
    old = scene.random.choice(log.entries[2:])
    scene.rename(log.store, old, Entry(old.id, old.seq, old.parent - 1))


@caught_by(Rule.CHAIN)
def everybody_agrees_on_numbers_that_descend(scene: Scene) -> None:
    log = scene.choose([log for log in scene.logs if len(log.entries) > 2])
    old = scene.random.choice(log.entries[2:])
    scene.rename(log.store, old, Entry(old.id, old.parent, old.parent))


@caught_by(Rule.REAL_TIME)
def a_batch_is_stored_before_one_that_was_acknowledged_before_it_began(scene: Scene) -> None:
    pairs = [
        (earlier, later)
        for _, evidence in scene.evidences()
        for at, earlier in enumerate(evidence.stored_batches)
        for later in evidence.stored_batches[at + 1 :]
        if acknowledged(later)
    ]
    earlier, later = scene.choose(pairs)
    for push in earlier.pushes:
        scene.swap_record(push.invoked, replace(push.invoked, at=later.acked_at + 0.001))


@caught_by(Rule.CONFLICT)
def a_refused_pusher_is_told_a_head_that_never_was(scene: Scene) -> None:
    refused = _conflicts(scene)
    scene.swap_record(refused, _with_head(refused, 10_000_000))


@caught_by(Rule.CONFLICT)
def a_refused_pusher_is_told_the_head_that_it_continued(scene: Scene) -> None:
    refused = _conflicts(scene)
    batch = next(
        it.batch for it in scene.records if isinstance(it, PushInvoked) and it.op == refused.op
    )
    scene.swap_record(refused, _with_head(refused, batch[0].parent))


@caught_by(Rule.CONFLICT)
def a_refused_pusher_is_told_a_head_from_before_an_acknowledgement(scene: Scene) -> None:
    candidates = [
        push.answered
        for _, evidence in scene.evidences()
        for push in evidence.pushes
        if push.answered
        and push.refusal
        and push.refusal.head
        and push.invoked.batch[0].parent
        and evidence.is_current(push)
        and evidence.acknowledged.before(push.invoked.at)
    ]
    refused = scene.choose(candidates)
    scene.swap_record(refused, _with_head(refused, 0))


def _conflicts(scene: Scene) -> PushAnswered:
    return scene.choose(
        [
            push.answered
            for _, evidence in scene.evidences()
            for push in evidence.pushes
            if push.answered and push.refusal and push.refusal.head and evidence.is_current(push)
        ]
    )


def _with_head(refused: PushAnswered, head: int) -> PushAnswered:
    return replace(refused, refusal=Refusal(tag="ServerAheadError", head=head))


@caught_by(Rule.READ)
def a_read_lacks_what_was_acknowledged_before_it_began(scene: Scene) -> None:
    def holds_acknowledged(evidence: Evidence, pull: Pull) -> bool:
        if not is_complete_read(evidence, pull) or not evidence.current_pages(pull):
            return False
        known = evidence.acknowledged.before(pull.invoked.at)
        return known > evidence.log.after(pull.invoked.cursor)

    pull = scene.choose(scene.pulls(holds_acknowledged))
    scene.set_pages(pull, ())


@caught_by(Rule.READ)
def a_read_goes_back_behind_what_its_client_had_seen(scene: Scene) -> None:
    """Only an unanswered push is left out, so that no acknowledgement gives it away."""

    def holds_seen(evidence: Evidence, pull: Pull) -> bool:
        if not is_complete_read(evidence, pull) or not evidence.current_pages(pull):
            return False
        seen = evidence.seen[pull.invoked.client].before(pull.invoked.at)
        known = evidence.acknowledged.before(pull.invoked.at)
        return seen > max(known, evidence.log.after(pull.invoked.cursor))

    pull = scene.choose(scene.pulls(holds_seen))
    evidence = next(it for _, it in scene.evidences() if it.store == pull.invoked.store)
    start = evidence.log.after(pull.invoked.cursor)
    known = evidence.acknowledged.before(pull.invoked.at)
    scene.set_pages(pull, pull.entries[: max(known - start, 0)])


@caught_by(Rule.READ)
def a_read_skips_an_event(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_complete_read))
    at = scene.random.randrange(len(pull.entries) - 1)
    scene.set_pages(pull, [*pull.entries[:at], *pull.entries[at + 1 :]])


@caught_by(Rule.READ)
def a_read_repeats_what_was_before_its_cursor(scene: Scene) -> None:
    def has_a_past(evidence: Evidence, pull: Pull) -> bool:
        return is_complete_read(evidence, pull) and evidence.log.after(pull.invoked.cursor) > 0

    pull = scene.choose(scene.pulls(has_a_past))
    log = next(log for log in scene.logs if log.store == pull.invoked.store)
    scene.set_pages(pull, [log.entries[0], *pull.entries])


@caught_by(Rule.READ)
def a_read_shows_an_event_that_is_not_stored(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_complete_read))
    last = pull.entries[-1]
    scene.set_pages(pull, [*pull.entries, Entry("phantom", last.seq + 1, last.seq)])


@caught_by(Rule.READ)
def a_read_never_says_no_more(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_complete_read))
    scene.swap_record(pull.pages[-1], replace(pull.pages[-1], last=False))


@caught_by(Rule.LIVE)
def a_live_pull_has_a_gap(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_live_stream))
    at = scene.random.randrange(len(pull.entries) - 1)
    scene.set_pages(pull, [*pull.entries[:at], *pull.entries[at + 1 :]])


@caught_by(Rule.LIVE)
def a_live_pull_gets_an_event_twice(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_live_stream))
    at = scene.random.randrange(len(pull.entries))
    scene.set_pages(pull, [*pull.entries[: at + 1], *pull.entries[at:]])


@caught_by(Rule.LIVE)
def a_live_pull_gets_an_event_too_early(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_live_stream))
    at = scene.random.randrange(len(pull.entries) - 1)
    entries = list(pull.entries)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    scene.set_pages(pull, entries)


@caught_by(Rule.LIVE)
def a_live_pull_never_gets_the_last_event(scene: Scene) -> None:
    pull = scene.choose(
        scene.pulls(lambda evidence, it: is_live_stream(evidence, it) and it.outcome == "final")
    )
    scene.set_pages(pull, pull.entries[:-1])


@caught_by(Rule.LIVE)
def a_live_pull_is_ended_by_the_server(scene: Scene) -> None:
    pull = scene.choose(scene.pulls(is_live_stream))
    ended = next(
        it for it in scene.records if isinstance(it, PullEnded) and it.op == pull.invoked.op
    )
    scene.swap_record(ended, replace(ended, outcome="ok"))


@caught_by(Rule.BACKEND_ID)
def one_page_comes_with_another_backend_id(scene: Scene) -> None:
    page = scene.choose([it for it in scene.records if isinstance(it, PageReceived)])
    scene.swap_record(page, replace(page, backend_id="another"))


@caught_by(Rule.BACKEND_ID)
def the_store_ends_with_another_backend_id(scene: Scene) -> None:
    at = scene.random.randrange(len(scene.logs))
    scene.logs[at] = replace(scene.logs[at], backend_id="another")


@caught_by(Rule.BACKEND_ID)
def a_push_is_told_another_backend_id(scene: Scene) -> None:
    answers = [it for it in scene.records if isinstance(it, PushAnswered)]
    refused = scene.choose([it for it in answers if it.outcome == "fail"])
    refusal = Refusal(tag="BackendIdMismatchError", backend_id="another")
    scene.swap_record(refused, replace(refused, refusal=refusal))


@caught_by(Rule.BACKEND_ID)
def a_push_with_the_right_backend_id_is_refused(scene: Scene) -> None:
    candidates = [
        push
        for _, evidence in scene.evidences()
        for push in evidence.pushes
        if push.outcome == "fail"
        and push.invoked.backend_id == evidence.log.backend_id
        and (not evidence.resets or push.invoked.at > evidence.resets[-1].answered_at)
    ]
    push = scene.choose(candidates)
    if push.answered is None:
        raise NotApplicableError
    refusal = Refusal(tag="BackendIdMismatchError", backend_id=push.invoked.backend_id)
    scene.swap_record(push.answered, replace(push.answered, refusal=refusal))
