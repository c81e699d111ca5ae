"""The checker is only worth something if it finds every lie and accuses nobody who is honest."""

from functools import cache

import pytest

from tests.history.checker import Rule, check
from tests.history.history import History
from tests.history.mutations import MUTATIONS, Mutation, NotApplicableError, mutate
from tests.history.simulation import Simulation

TRUE_SEEDS = range(60)
MUTATED_SEEDS = range(6)


@cache
def simulated(seed: int) -> Simulation:
    return Simulation(seed, with_reset=seed % 4 == 3)


@pytest.mark.parametrize("seed", TRUE_SEEDS)
def test_a_true_history_passes(seed: int) -> None:
    run = simulated(seed)

    assert check(History(run.records), run.logs) == []


def test_true_histories_hold_all_that_can_happen() -> None:
    pushes = [push for seed in TRUE_SEEDS for push in History(simulated(seed).records).pushes()]
    pulls = [pull for seed in TRUE_SEEDS for pull in History(simulated(seed).records).pulls()]

    assert {push.outcome for push in pushes} == {"ok", "fail", "info"}
    assert {push.answered is None for push in pushes} == {True, False}
    assert {(pull.invoked.live, pull.outcome) for pull in pulls} == {
        *((False, outcome) for outcome in ("ok", "fail", "cut")),
        *((True, outcome) for outcome in ("final", "fail", "cut")),
    }


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught_by_the_rule_meant_for_it(mutation: Mutation) -> None:
    applied = 0
    for seed in MUTATED_SEEDS:
        run = simulated(seed)
        try:
            history, logs = mutate(mutation, History(run.records), run.logs, seed=seed)
        except NotApplicableError:
            continue
        applied += 1

        findings = check(history, logs)

        assert mutation.rule in {finding.rule for finding in findings}, f"seed {seed}"
    assert applied >= 3


def test_every_rule_has_a_mutation() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(Rule)
