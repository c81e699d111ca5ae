"""The table of LIVESYNC in docs/settings.md, made from ``livesync.conf``.

python -m tests.docs.settings_table
"""

import ast
import dataclasses
import inspect
from typing import Any

from livesync import conf
from livesync.conf import LivesyncSettings
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "settings.md"
MARK = "<!-- made from livesync/conf.py: python -m tests.docs.settings_table -->\n"


def table() -> str:
    """A row for each key: its default, and what its docstring says."""
    meanings = _meanings()
    rows = [
        f"| `{field.name}` | {_shown(_default(field))} | {meanings[field.name]} |"
        for field in dataclasses.fields(LivesyncSettings)
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def write() -> None:
    """Put the table where the page has the mark."""
    head, _, _ = PAGE.read_text().partition(MARK)
    PAGE.write_text(f"{head}{MARK}\n{table()}")


def _meanings() -> dict[str, str]:
    (cls,) = (
        node
        for node in ast.parse(inspect.getsource(conf)).body
        if isinstance(node, ast.ClassDef) and node.name == LivesyncSettings.__name__
    )
    meanings = {}
    for statement, docstring in zip(cls.body, cls.body[1:], strict=False):
        match statement, docstring:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                meanings[name] = inspect.cleandoc(text).replace("\n", " ").replace("``", "`")
    return meanings


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _shown(value: Any) -> str:
    match value:
        case "" | () | {}:
            return "none"
        case bool() | str():
            return f"`{value}`"
    return f"{value:,}"


if __name__ == "__main__":
    write()
