"""What arrives together commits together; everybody hears of its own, in the order of commits."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest

from groundwork import writer as module
from groundwork.writer import Writer


class OutOfReachError(Exception):
    """The database cannot be reached."""


class UnknownOutcomeError(Exception):
    """The jobs may be stored, or not."""


class RefusedError(Exception):
    """This job is refused, and no other."""


class Commits:
    """A commit function that can be held up, and remembers what it was given."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.announced: list[list[str]] = []
        self.answered: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.fail: Callable[[Sequence[str]], Exception | None] = lambda _: None

    def commit(self, jobs: Sequence[str]) -> list[str | Exception]:
        self.begun.set()
        assert self.gate.wait(20)
        self.groups.append(list(jobs))
        error = self.fail(jobs)
        if error is not None:
            raise error
        return [RefusedError(job) if job.startswith("refuse") else f"{job}!" for job in jobs]

    def announce(self, outcomes: Sequence[str]) -> None:
        self.announced.append(list(outcomes))


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def writer(commits: Commits) -> Iterator[Writer[str, str]]:
    writer = make_writer(commits)
    yield writer
    commits.gate.set()
    writer.stop()


def make_writer(commits: Commits, **options: Any) -> Writer[str, str]:
    return Writer(
        commits.commit,
        announce=commits.announce,
        final=(OutOfReachError, UnknownOutcomeError),
        name="writer of a test",
        **options,
    )


async def submit_behind_a_commit(
    writer: Writer[str, str], commits: Commits, *jobs: str
) -> list[Any]:
    """Hand in ``jobs`` while a commit is under way; what became of them."""
    commits.gate.clear()
    commits.begun.clear()
    first = writer.submit("first")
    await asyncio.to_thread(commits.begun.wait, 20)
    waiting = [writer.submit(job) for job in jobs]
    commits.gate.set()
    await first
    return await settled(waiting)


async def settled(futures: Sequence[Awaitable[str]]) -> list[Any]:
    return await asyncio.gather(*futures, return_exceptions=True)


async def test_a_job_alone_is_a_group(writer: Writer[str, str], commits: Commits) -> None:
    assert await writer.submit("a") == "a!"
    assert await writer.submit("b") == "b!"
    assert commits.groups == [["a"], ["b"]]


async def test_who_cannot_take_an_outcome_harms_no_other(
    writer: Writer[str, str], commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ValueError

    writer.hand_in("a", fail)
    together = await submit_behind_a_commit(writer, commits, "b", "c")

    assert together == ["b!", "c!"]
    assert "an outcome could not be taken" in caplog.text


async def test_jobs_that_arrive_during_a_commit_share_the_next_one(
    writer: Writer[str, str], commits: Commits
) -> None:
    outcomes = await submit_behind_a_commit(writer, commits, "a", "b", "c")

    assert outcomes == ["a!", "b!", "c!"]
    assert commits.groups == [["first"], ["a", "b", "c"]]


async def test_a_group_has_an_end(commits: Commits) -> None:
    writer = make_writer(commits, max_group=2)

    await submit_behind_a_commit(writer, commits, *"abcde")
    writer.stop()

    assert commits.groups == [["first"], ["a", "b"], ["c", "d"], ["e"]]


async def test_a_refused_job_harms_no_other(writer: Writer[str, str], commits: Commits) -> None:
    a, refused, b = await submit_behind_a_commit(writer, commits, "a", "refuse me", "b")

    assert (a, b) == ("a!", "b!")
    assert isinstance(refused, RefusedError)
    assert commits.announced == [["first!"], ["a!", "b!"]]


async def test_a_group_that_fails_is_tried_one_by_one(
    writer: Writer[str, str], commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    commits.fail = lambda jobs: ValueError("poison") if "poison" in jobs else None

    a, poison, b = await submit_behind_a_commit(writer, commits, "a", "poison", "b")

    assert (a, b) == ("a!", "b!")
    assert isinstance(poison, ValueError)
    assert commits.groups == [["first"], ["a", "poison", "b"], ["a"], ["poison"], ["b"]]
    assert commits.announced == [["first!"], ["a!", "b!"]]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("error", [OutOfReachError, UnknownOutcomeError])
async def test_what_is_true_of_the_whole_group_is_not_tried_one_by_one(
    writer: Writer[str, str], commits: Commits, error: type[Exception]
) -> None:
    commits.fail = lambda jobs: error() if "a" in jobs else None

    outcomes = await submit_behind_a_commit(writer, commits, "a", "b")

    assert [type(outcome) for outcome in outcomes] == [error] * 2
    assert commits.groups == [["first"], ["a", "b"]]
    assert commits.announced == [["first!"]]
    assert await writer.submit("c") == "c!"


async def test_a_commit_is_announced_before_any_caller_hears_of_it(
    writer: Writer[str, str], commits: Commits
) -> None:
    heard: list[list[list[str]]] = []

    async def submit(job: str) -> None:
        await writer.submit(job)
        heard.append([list(group) for group in commits.announced])

    await asyncio.gather(*(submit(job) for job in "abc"))

    for job, announced in zip("abc", heard, strict=True):
        assert f"{job}!" in [outcome for group in announced for outcome in group]


async def test_commits_are_announced_in_their_order(
    writer: Writer[str, str], commits: Commits
) -> None:
    jobs = [str(number) for number in range(500)]

    await asyncio.gather(*map(writer.submit, jobs))

    assert [outcome for group in commits.announced for outcome in group] == [f"{j}!" for j in jobs]


async def test_a_caller_that_has_gone_changes_nothing(
    writer: Writer[str, str], commits: Commits
) -> None:
    commits.gate.clear()
    gone, stays = writer.submit("gone"), writer.submit("stays")
    gone.cancel()
    commits.gate.set()

    assert await stays == "stays!"
    announced = [outcome for group in commits.announced for outcome in group]
    assert announced == ["gone!", "stays!"]


async def test_callers_hear_of_a_commit_that_could_not_be_announced(
    writer: Writer[str, str], commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ValueError

    monkeypatch.setattr(writer, "_announce", fail)

    assert await writer.submit("a") == "a!"


def test_a_loop_that_has_ended_wants_no_answer_and_others_get_theirs(
    writer: Writer[str, str], commits: Commits
) -> None:
    commits.gate.clear()

    async def leave() -> None:
        writer.submit("of a loop that ends")
        await asyncio.to_thread(commits.begun.wait, 20)

    async def stay() -> str:
        waiting = writer.submit("of another")
        commits.gate.set()
        return await waiting

    asyncio.run(leave())
    assert asyncio.run(stay()) == "of another!"
    assert commits.announced[0] == ["of a loop that ends!"]


async def test_stopping_commits_what_waits(writer: Writer[str, str], commits: Commits) -> None:
    commits.gate.clear()
    waiting = [writer.submit(job) for job in "abc"]
    commits.gate.set()

    await asyncio.to_thread(writer.stop)

    assert await asyncio.gather(*waiting) == ["a!", "b!", "c!"]


async def test_a_stopped_writer_starts_again_when_it_is_used(writer: Writer[str, str]) -> None:
    writer.stop()
    assert await writer.submit("a") == "a!"
    writer.stop()
    assert await writer.submit("b") == "b!"


async def test_jobs_of_many_tasks_keep_the_order_in_which_they_came(
    writer: Writer[str, str], commits: Commits
) -> None:
    async def submit_ten(name: str) -> None:
        for number in range(10):
            await writer.submit(f"{name} {number}")

    await asyncio.gather(*(submit_ten(name) for name in "abcdefgh"))

    committed = [job for group in commits.groups for job in group]
    for name in "abcdefgh":
        assert [job for job in committed if job[0] == name] == [f"{name} {n}" for n in range(10)]


async def test_a_commit_that_answers_too_few_fails_its_jobs_and_no_others(
    writer: Writer[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_commit", lambda _: [])
        with pytest.raises(ValueError, match="shorter"):
            await asyncio.wait_for(writer.submit("a"), 20)

    assert await asyncio.wait_for(writer.submit("b"), 20) == "b!"
    assert "writing a group failed" in caplog.text


async def test_a_thread_that_has_ended_is_replaced(writer: Writer[str, str]) -> None:
    await writer.submit("a")
    ended = writer._thread
    assert ended is not None
    writer._queue.put(None)
    await asyncio.to_thread(ended.join, 20)

    assert await asyncio.wait_for(writer.submit("b"), 20) == "b!"


class HeldError(Exception):
    """Somebody else holds what the job needs, for a while."""


class HoldingCommits(Commits):
    """Jobs are named ``key number``; those whose key is held cannot be done yet."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] = set()
        self._tries = threading.Semaphore(0)

    def commit(self, jobs: Sequence[str]) -> list[str | Exception]:
        outcomes = [
            HeldError() if key_of(job) in self.held else outcome
            for job, outcome in zip(jobs, super().commit(jobs), strict=True)
        ]
        self._tries.release()
        return outcomes

    async def tried_again(self, times: int) -> None:
        """Wait for so many commits."""
        while self._tries.acquire(blocking=False):
            pass
        for _ in range(times):
            assert await asyncio.to_thread(self._tries.acquire, timeout=20)

    def all_announced(self) -> list[str]:
        return [outcome for group in self.announced for outcome in group]


def key_of(job: str) -> str:
    return job.partition(" ")[0]


@pytest.fixture
def holding() -> HoldingCommits:
    return HoldingCommits()


@pytest.fixture
def patient(holding: HoldingCommits) -> Iterator[Writer[str, str]]:
    """A writer that tries again for longer than a test takes."""
    writer = make_writer(holding, key=key_of, again=(HeldError,), again_for_s=60)
    yield writer
    holding.held.clear()
    holding.gate.set()
    writer.stop()


async def test_what_is_held_keeps_nobody_else_waiting(
    patient: Writer[str, str], holding: HoldingCommits
) -> None:
    holding.held = {"a"}
    held = [patient.submit(f"a {number}") for number in range(3)]

    for number in range(10):
        assert await patient.submit(f"b {number}") == f"b {number}!"
    assert not any(future.done() for future in held)

    holding.held = set()
    last = patient.submit("a 3")
    assert await asyncio.gather(*held, last) == ["a 0!", "a 1!", "a 2!", "a 3!"]
    announced = [outcome for outcome in holding.all_announced() if outcome[0] == "a"]
    assert announced == ["a 0!", "a 1!", "a 2!", "a 3!"]


async def test_what_is_held_is_tried_again_when_nothing_else_comes(
    patient: Writer[str, str], holding: HoldingCommits
) -> None:
    holding.held = {"a"}
    held = patient.submit("a 0")
    await holding.tried_again(3)

    holding.held = set()

    assert await asyncio.wait_for(held, 20) == "a 0!"


async def test_what_is_held_for_too_long_fails_together(holding: HoldingCommits) -> None:
    writer = make_writer(holding, key=key_of, again=(HeldError,), again_for_s=0.5)
    holding.held = {"a"}
    first = writer.submit("a 0")
    await holding.tried_again(1)
    second = writer.submit("a 1")
    outcomes = await settled([first, second])
    await asyncio.to_thread(writer.stop)

    assert [type(outcome) for outcome in outcomes] == [HeldError] * 2
    # the second did not stay behind for a time of its own: it may build on the first
    assert holding.groups[-1] == ["a 0", "a 1"]


async def test_stopping_waits_for_what_is_held(
    patient: Writer[str, str], holding: HoldingCommits
) -> None:
    holding.held = {"a"}
    held = patient.submit("a 0")
    stopping = asyncio.create_task(asyncio.to_thread(patient.stop))
    await holding.tried_again(3)

    holding.held = set()

    await stopping
    assert await held == "a 0!"


async def test_one_by_one_a_job_does_not_overtake_what_is_held(
    patient: Writer[str, str], holding: HoldingCommits
) -> None:
    poison_is_new = True

    def free_a_and_fail(jobs: Sequence[str]) -> Exception | None:
        nonlocal poison_is_new
        if "poison" not in jobs or not poison_is_new:
            if list(jobs) == ["b 0"]:
                holding.held = set()  # between a 0, which has been tried, and a 1
            return None
        poison_is_new = len(jobs) > 1
        return ValueError("poison")

    holding.held = {"a"}
    holding.fail = free_a_and_fail
    a0, b0, a1, poison = await submit_behind_a_commit(
        patient, holding, "a 0", "b 0", "a 1", "poison"
    )

    assert (a0, b0, a1) == ("a 0!", "b 0!", "a 1!")
    assert isinstance(poison, ValueError)
    assert [o for o in holding.all_announced() if o[0] == "a"] == ["a 0!", "a 1!"]


async def test_a_group_is_cut_by_bytes_too(commits: Commits) -> None:
    writer = make_writer(commits, size=len, max_group_bytes=4)

    await submit_behind_a_commit(writer, commits, "aa", "bb", "c", "dddddd", "ee", "ff")
    writer.stop()

    assert commits.groups == [["first"], ["aa", "bb"], ["c"], ["dddddd"], ["ee", "ff"]]


async def test_what_does_not_fit_is_told_at_once_and_harms_nothing(commits: Commits) -> None:
    writer = make_writer(commits, size=len, max_pending_bytes=4, overload=OutOfReachError)
    commits.gate.clear()

    waiting = [writer.submit("aa"), writer.submit("bb")]
    refused = writer.submit("c")
    assert isinstance(refused.exception(), OutOfReachError)
    commits.gate.set()

    assert await asyncio.gather(*waiting) == ["aa!", "bb!"]
    assert await writer.submit("dddddd") == "dddddd!"  # alone, whatever its size
    writer.stop()


async def test_room_is_given_back_whatever_becomes_of_a_job(commits: Commits) -> None:
    writer = make_writer(commits, size=len, max_pending_bytes=10)
    commits.fail = lambda jobs: ValueError() if "poison" in jobs else None

    for _ in range(20):
        outcomes = await settled([writer.submit("poison"), writer.submit("abcd")])
        assert [type(outcome) for outcome in outcomes] == [ValueError, str]
    writer.stop()


async def test_room_is_given_back_once_when_an_answer_fails(
    commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer(commits, size=len, max_pending_bytes=4)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_commit", lambda _: [])
        with pytest.raises(ValueError, match="shorter"):
            await writer.submit("aaaa")
    call_in_loop = module.call_in_loop
    calls: list[int] = []

    def fail_once(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("as planned")
        call_in_loop(*args)

    monkeypatch.setattr(module, "call_in_loop", fail_once)
    with pytest.raises(RuntimeError, match="as planned"):
        await writer.submit("aaaa")

    assert writer._pending_bytes == 0
    writer.stop()
