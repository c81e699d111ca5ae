"""Judge a history: can every answer be true, given what each store holds in the end?

The rules follow Elle's idea: every event is unique and every store ends as one list, so each
answer can be held against that list. Pure: records in, findings out.
"""

from collections.abc import Callable, Iterator, Sequence

from tests.history import backend_rules, log_rules, pull_rules
from tests.history.evidence import Evidence
from tests.history.findings import Finding, Rule
from tests.history.history import FinalLog, History

__all__ = ["Finding", "Rule", "check"]

RULES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    log_rules.uniqueness,
    log_rules.origin,
    log_rules.acknowledged_batches,
    log_rules.refused_batches,
    log_rules.indeterminate_batches,
    log_rules.chain,
    log_rules.real_time,
    log_rules.conflicts,
    pull_rules.reads,
    pull_rules.live_pulls,
    backend_rules.backend_ids,
)


def check(history: History, logs: Sequence[FinalLog]) -> list[Finding]:
    """Hold a history against the final log of each store it is about.

    Returns:
        What is wrong, rule by rule; empty when all is well.

    Raises:
        ValueError: the history names a store that has no final log here, or one has two.
    """
    names = [log.store for log in logs]
    used = {push.invoked.store for push in history.pushes()}
    used |= {pull.invoked.store for pull in history.pulls()}
    if len(set(names)) < len(names) or not used <= set(names):
        raise ValueError(f"one final log is needed for each of {sorted(used)}, not {names}")
    evidences = [Evidence(history, log) for log in logs]
    return [finding for rule in RULES for evidence in evidences for finding in rule(evidence)]
