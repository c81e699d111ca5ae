"""The commands in the shell examples of the documents."""

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from tests.docs.pages import Page, all_pages

_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_REDIRECTION = re.compile(r"[<>] \S+")


class Command(NamedTuple):
    """One command of a shell example, with the variables set for it."""

    page: Page
    variables: list[str]
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words) or ' '.join(self.variables)}"


def commands() -> Iterator[Command]:
    """Every command in every shell example."""
    for page in all_pages():
        for block in page.blocks_in("sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|;", line):
                    yield _parse(page, part)
        for block in page.blocks_in("console"):
            for line in re.findall(r"^\$ (.*)$", block.text, re.MULTILINE):
                yield _parse(page, line)


def _parse(page: Page, text: str) -> Command:
    words = shlex.split(_REDIRECTION.sub("", text))
    variables = []
    while words and _ASSIGNMENT.fullmatch(words[0]):
        variables.append(words.pop(0).partition("=")[0])
    return Command(page, variables, words)
