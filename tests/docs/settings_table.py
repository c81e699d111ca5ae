"""The tables of LIVESYNC and CHATSTATE in the documents, made from ``conf.py`` of the two apps.

python -m tests.docs.settings_table
"""

import ast
import dataclasses
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from chatstate import conf as chatstate_conf
from livesync import conf as livesync_conf
from tests.docs.pages import ROOT


class SettingsTable(NamedTuple):
    """The keys of one app's settings, on a page whose last part they are."""

    conf: ModuleType
    settings: type
    page: Path

    @property
    def mark(self) -> str:
        """The line of the page that the table follows."""
        file = self.conf.__name__.replace(".", "/")
        return f"<!-- made from {file}.py: python -m tests.docs.settings_table -->\n"

    def text(self) -> str:
        """A row for each key: its default, and what its docstring says."""
        meanings = self._meanings()
        rows = [
            f"| `{field.name}` | {_shown(_default(field))} | {meanings[field.name]} |"
            for field in dataclasses.fields(self.settings)
        ]
        return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])

    def written(self) -> str:
        """The table as the page has it."""
        return self.page.read_text().partition(self.mark)[2].strip()

    def write(self) -> None:
        """Put the table where the page has the mark."""
        head, _, _ = self.page.read_text().partition(self.mark)
        self.page.write_text(f"{head}{self.mark}\n{self.text()}")

    def _meanings(self) -> dict[str, str]:
        (cls,) = (
            node
            for node in ast.parse(inspect.getsource(self.conf)).body
            if isinstance(node, ast.ClassDef) and node.name == self.settings.__name__
        )
        meanings = {}
        for statement, docstring in zip(cls.body, cls.body[1:], strict=False):
            match statement, docstring:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    meanings[name] = inspect.cleandoc(text).replace("\n", " ").replace("``", "`")
        return meanings


TABLES = (
    SettingsTable(livesync_conf, livesync_conf.LivesyncSettings, ROOT / "docs/settings.md"),
    SettingsTable(
        chatstate_conf, chatstate_conf.ChatstateSettings, ROOT / "docs/chat-operation.md"
    ),
)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _shown(value: Any) -> str:
    match value:
        case "" | () | {} if not value:
            return "none"
        case bool() | str() | dict():
            return f"`{value}`"
        case tuple():
            return ", ".join(map(_shown, value))
    return f"{value:,}"


if __name__ == "__main__":
    for table in TABLES:
        table.write()
