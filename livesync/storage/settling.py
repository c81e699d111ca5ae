"""What to make of a COMMIT that failed: nobody may be told wrong, and no event be stored twice."""

import logging
from collections.abc import Callable, Sequence

from livesync.protocol.errors import CommitUnknownError, LivesyncError, StoreHeldError
from livesync.storage.engine import Append, Appended, Outcome
from livesync.storage.errors import CommitBrokenError
from livesync.storage.faults import unavailable
from livesync.storage.plan import Plan

logger = logging.getLogger(__name__)

_MAX_COMMITS = 3


def commit_settled(
    name: str,
    appends: Sequence[Append],
    attempt: Callable[[Sequence[Append]], Sequence[Outcome]],
    is_stored: Callable[[Plan], bool],
) -> Sequence[Outcome]:
    """Commit, and where a COMMIT fails find out what became of it, or commit again.

    Args:
        name: of what is written to, for the log.
        appends: what is to be stored.
        attempt: stores it in one transaction; raises CommitBrokenError if its COMMIT failed.
        is_stored: looks, on a new connection, whether a plan's rows are there.

    Raises:
        StorageUnavailableError: nothing was stored.
        CommitUnknownError: it may have been stored.
    """
    broken: list[CommitBrokenError] = []
    try:
        return _try(name, appends, attempt, is_stored, broken)
    except Exception as error:
        if any(commit.leaves_doubt for commit in broken):
            # whatever it was that ended this: it is no proof that nothing was stored
            raise CommitUnknownError("the outcome of a commit is unknown") from error
        raise


def _try(
    name: str,
    appends: Sequence[Append],
    attempt: Callable[[Sequence[Append]], Sequence[Outcome]],
    is_stored: Callable[[Plan], bool],
    broken: list[CommitBrokenError],
) -> Sequence[Outcome]:
    while len(broken) < _MAX_COMMITS:
        try:
            return _beyond_doubt(attempt(appends), broken)
        except CommitBrokenError as error:
            logger.warning("%s: %s", name, error)
            broken.append(error)
            if is_stored(error.plan):
                if error.leaves_doubt:
                    raise
                return error.plan.outcomes
    # a disk that fails at every COMMIT would keep the writer here for ever
    raise unavailable(broken[-1]) from broken[-1]


def _beyond_doubt(
    outcomes: Sequence[Outcome], broken: Sequence[CommitBrokenError]
) -> Sequence[Outcome]:
    true = list(outcomes)
    for commit in broken:
        for number, planned in enumerate(commit.plan.outcomes if commit.leaves_doubt else ()):
            if isinstance(planned, Appended) and not isinstance(true[number], Appended):
                # what it was refused for may be its own events, come up from the log
                true[number] = CommitUnknownError("the outcome of a commit is unknown")
    return true


def commit_apart(
    commit: Callable[[Sequence[Append]], Sequence[Outcome]], appends: Sequence[Append]
) -> Sequence[Outcome]:
    """``commit``, but what it raises becomes outcomes, as others have been stored elsewhere.

    After a bug the appends are tried one by one, so that the one at fault harms no other.
    """
    try:
        return commit(appends)
    except LivesyncError as error:
        return [error] * len(appends)
    except Exception as error:
        if len(appends) == 1:
            logger.exception("a push failed")
            return [error]
    return _one_by_one(commit, appends)


def _one_by_one(
    commit: Callable[[Sequence[Append]], Sequence[Outcome]], appends: Sequence[Append]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    held: dict[str, Outcome] = {}
    for append in appends:
        # what may build on a push that has to wait must not be stored without it
        outcome = held.get(append.store_id) or commit_apart(commit, [append])[0]
        if isinstance(outcome, StoreHeldError):
            held[append.store_id] = outcome
        outcomes.append(outcome)
    return outcomes
