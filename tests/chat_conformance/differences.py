"""Where a subject is known to answer otherwise than the suite asks.

Each is expected strictly: one that no longer shows fails the suite, and so does one that names no
test.
"""

from typing import NamedTuple

import pytest


class Difference(NamedTuple):
    """One test that a subject fails.

    Attributes:
        subject: name of its kind.
        test: name of the test function.
        reason: what it does in place of what is asked.
        only: ids of the test's other parameters; empty: all of them.
    """

    subject: str
    test: str
    reason: str
    only: tuple[str, ...] = ()

    def concerns(self, item: pytest.Function) -> bool:
        """Whether it is this test, run against this subject."""
        callspec = getattr(item, "callspec", None)
        if callspec is None or item.originalname != self.test:
            return False
        kind = callspec.params.get("kind")
        if kind is None or kind.name != self.subject:
            return False
        return not self.only or callspec.id.replace(kind.name, "", 1).strip("-") in self.only


_MEMORY = "state-memory"
_REDIS = "state-redis"

_ONE_MAP = "lists and cache entries are in one map, by one name"
_QUEUES_NEVER_EXPIRE = "entries of a queue are given and counted after they have expired"
_LIVE_VALUES = "keeps JavaScript's values as they are"
_WHOLE_NUMBERS = "a ttl has to be a whole number of milliseconds"

DIFFERENCES = [
    Difference(_MEMORY, "test_one_name_is_of_use_in_every_space", _ONE_MAP),
    Difference(_MEMORY, "test_what_ends_in_one_space_stays_in_the_others", _ONE_MAP),
    Difference(_MEMORY, "test_a_bound_below_0_loses_nothing", "drops everything"),
    Difference(
        _MEMORY,
        "test_an_append_without_ttl_leaves_the_lists_own",
        "such an append takes the ttl away, and the list stays for ever",
    ),
    Difference(_MEMORY, "test_a_bound_of_0_is_no_bound", "keeps no entry at all"),
    Difference(_MEMORY, "test_an_expired_entry_is_neither_given_nor_counted", _QUEUES_NEVER_EXPIRE),
    Difference(_MEMORY, "test_what_is_behind_an_expired_entry_is_given", _QUEUES_NEVER_EXPIRE),
    Difference(_MEMORY, "test_what_is_before_an_expired_entry_is_given", _QUEUES_NEVER_EXPIRE),
    Difference(_MEMORY, "test_an_expired_entry_takes_no_place", _QUEUES_NEVER_EXPIRE),
    Difference(_MEMORY, "test_an_entry_that_came_too_late_is_not_given", _QUEUES_NEVER_EXPIRE),
    Difference(
        _MEMORY,
        "test_the_callers_lock_stays_as_it_was_handed_out",
        "hands out the lock that it keeps, and changes that",
    ),
    Difference(
        _MEMORY,
        "test_what_was_stored_outlives_the_connection",
        "disconnect() forgets subscriptions, locks and queues",
    ),
    Difference(_MEMORY, "test_a_value_is_a_copy", "hands out the value itself"),
    Difference(_MEMORY, "test_what_is_no_number_is_null", _LIVE_VALUES),
    Difference(_MEMORY, "test_a_value_of_javascript_is_what_json_makes_of_it", _LIVE_VALUES),
    Difference(_MEMORY, "test_undefined_is_stored_as_null", _LIVE_VALUES),
    Difference(_MEMORY, "test_a_bigint_is_refused_and_nothing_changed", _LIVE_VALUES),
    Difference(
        _REDIS,
        "test_a_ttl_that_is_no_number_is_for_ever",
        "a ttl of Infinity is refused",
        ("Infinity",),
    ),
    Difference(_REDIS, "test_a_ttl_may_have_a_fraction", _WHOLE_NUMBERS),
    Difference(_REDIS, "test_a_fraction_of_a_millisecond_expires", _WHOLE_NUMBERS),
    Difference(
        _REDIS,
        "test_a_lock_without_time_is_given_and_free_again",
        "a ttl of 0 or less is refused",
    ),
    Difference(_REDIS, "test_an_expired_entry_is_neither_given_nor_counted", _QUEUES_NEVER_EXPIRE),
    Difference(_REDIS, "test_what_is_behind_an_expired_entry_is_given", _QUEUES_NEVER_EXPIRE),
    Difference(_REDIS, "test_what_is_before_an_expired_entry_is_given", _QUEUES_NEVER_EXPIRE),
    Difference(_REDIS, "test_an_expired_entry_takes_no_place", _QUEUES_NEVER_EXPIRE),
    Difference(_REDIS, "test_an_entry_that_came_too_late_is_not_given", _QUEUES_NEVER_EXPIRE),
    Difference(_REDIS, "test_undefined_is_stored_as_null", "is refused"),
    Difference(
        _REDIS,
        "test_half_of_a_character_is_a_name_of_its_own",
        "all halves of characters are one character, U+FFFD",
    ),
]
