"""The documents as the tests see them: pages, their headings, links, tables and code blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

_FENCE = re.compile(r"^```(\S*) *(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block. Its first line may name a file: three backticks, ``js main.js``."""

    language: str
    name: str
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def blocks(self) -> list[CodeBlock]:
        """Its code blocks, in their order."""
        return [CodeBlock(*found) for found in _FENCE.findall(self.text)]

    @property
    def links(self) -> list[str]:
        """The targets of its links."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind ``#``: the headings, written as GitHub writes them."""
        return {anchor(heading) for heading in _HEADING.findall(self.prose)}

    def blocks_in(self, *languages: str) -> list[CodeBlock]:
        """Its code blocks in one of these languages."""
        return [block for block in self.blocks if block.language in languages]

    def block(self, name: str) -> CodeBlock:
        """The code block that names the file ``name``."""
        (block,) = (block for block in self.blocks if block.name == name)
        return block

    def section(self, heading: str) -> str:
        """What stands between a heading and the next one of any level."""
        _, _, rest = self.text.partition(f"# {heading}\n")
        assert rest, f"{self} has no heading {heading!r}"
        return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def all_pages() -> list[Page]:
    """Every document that people read."""
    paths = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(path) for path in paths]


def page(name: str) -> Page:
    """The page at ``name``, relative to the root of the project."""
    return Page(ROOT / name)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return _NOT_IN_ANCHOR.sub("", heading.strip().lower()).replace(" ", "-")


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every line of every table in ``text``, heads and rules left out."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        is_head = index + 1 < len(lines) and lines[index + 1].startswith("|---")
        if line.startswith("|") and not line.startswith("|---") and not is_head:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def named_in(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)
