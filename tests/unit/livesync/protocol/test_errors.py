"""The tree of errors is the one that the module shows."""

import ast
import inspect
import re

from livesync.protocol import errors


def test_the_tree_at_the_top_names_every_error() -> None:
    shown = re.findall(r"^[ │├└─]{4,}(\w+)", inspect.getdoc(errors) or "", re.MULTILINE)
    module = ast.parse(inspect.getsource(errors))

    defined = {node.name for node in module.body if isinstance(node, ast.ClassDef)}

    assert {"LivesyncError", *shown} == defined
