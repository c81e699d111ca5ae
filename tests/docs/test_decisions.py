"""Every decision record has the fixed short form, and is in the list."""

import pytest

from tests.docs.pages import ROOT, Page, page

INDEX = page("docs/decisions/README.md")
RECORDS = [Page(path) for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))]

HEADINGS = ["Context", "Decision", "Figures", "Consequences"]
MOST_LINES = 70


def test_there_are_records_numbered_without_a_gap() -> None:
    numbers = [int(record.path.name[:4]) for record in RECORDS]

    assert numbers == list(range(1, len(RECORDS) + 1))
    assert len(numbers) >= 11


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_a_record_has_the_form(record: Page) -> None:
    lines = record.text.splitlines()

    assert lines[0].startswith(f"# {int(record.path.name[:4])}. ")
    assert [line[3:] for line in lines if line.startswith("## ")] == HEADINGS
    assert len(lines) <= MOST_LINES


def test_the_list_has_every_record() -> None:
    assert [link for link in INDEX.links if link.startswith("0")] == [
        record.path.name for record in RECORDS
    ]
