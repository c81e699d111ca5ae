"""The table of differences names subjects and tests that there are."""

import re
from pathlib import Path

from tests.chat_conformance.differences import DIFFERENCES
from tests.chat_conformance.kinds import KINDS

HERE = Path(__file__).parent


def test_a_difference_is_one_of_a_subject_in_a_test() -> None:
    modules = [path.read_text() for path in HERE.glob("test_*.py")]
    tests = {
        name for module in modules for name in re.findall(r"^async def (test_\w+)", module, re.M)
    }
    subjects = {kind.name for kind in KINDS}

    strange = [
        difference
        for difference in DIFFERENCES
        if difference.test not in tests or difference.subject not in subjects
    ]

    assert strange == []
