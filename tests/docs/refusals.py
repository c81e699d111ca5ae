"""Every text with which a start is refused, read from the sources."""

import ast
from collections.abc import Iterator
from inspect import getsource
from itertools import chain

from groundwork import settings as settings_reader
from syncsite import safety
from tests.docs.pages import ROOT

REFUSALS = {"StartRefusedError", "ImproperlyConfigured"}
NOT_SHOWN_AS_THEY_ARE = {
    "this site is not safe to start:",  # the first line above the reasons
    "…",  # passes on what another refusal says
}


def refusals() -> set[str]:
    """The texts with which a start is refused, ``…`` where a value is filled in."""
    sources = [path.read_text() for path in (ROOT / "syncsite").rglob("*.py")]
    raised = (_raised(ast.parse(source)) for source in (*sources, getsource(settings_reader)))
    return {*chain.from_iterable(raised), *_reasons()} - NOT_SHOWN_AS_THEY_ARE


def _reasons() -> Iterator[str]:
    for node in ast.walk(ast.parse(getsource(safety))):
        match node:
            case ast.Yield(value):
                yield from _text(value)
            case ast.Call(func=ast.Attribute(attr="append"), args=[value]):
                yield from _text(value)


def _raised(tree: ast.Module) -> Iterator[str]:
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        match node:
            case ast.Raise(
                exc=ast.Call(func=ast.Name(name), args=[ast.Call(func=ast.Name(maker))])
            ) if name in REFUSALS and maker in functions:
                yield from _returned(functions[maker])
            case ast.Raise(exc=ast.Call(func=ast.Name(name), args=[value])) if name in REFUSALS:
                yield from _text(value)


def _returned(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield from _text(node.value)


def _text(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.JoinedStr(values):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in values
            )
