"""The table of differences names subjects and tests that there are, and the document has it."""

import re
from pathlib import Path

from tests.chat_conformance.differences import DIFFERENCES, Difference
from tests.chat_conformance.kinds import KINDS

HERE = Path(__file__).parent
DOCUMENT = HERE.parent.parent / "docs" / "chat-conformance.md"
TEST_NAME = re.compile(r"^async def (test_\w+)", re.MULTILINE)


def test_a_difference_is_one_of_a_subject_in_a_test() -> None:
    tests = {
        name for path in HERE.glob("test_*.py") for name in TEST_NAME.findall(path.read_text())
    }
    subjects = {kind.name for kind in KINDS}

    strange = [
        difference
        for difference in DIFFERENCES
        if difference.test not in tests or difference.subject not in subjects
    ]

    assert strange == []


def test_the_document_has_every_difference_and_no_other() -> None:
    _, _, told = DOCUMENT.read_text().partition("|---|---|---|\n")

    assert told.splitlines() == [as_row(difference) for difference in DIFFERENCES]


def as_row(difference: Difference) -> str:
    """A difference as a row of the document's table."""
    asked = difference.test.removeprefix("test_").replace("_", " ")
    only = f" ({', '.join(difference.only)})" if difference.only else ""
    return f"| `{difference.subject}` | {asked}{only} | {difference.reason} |"
