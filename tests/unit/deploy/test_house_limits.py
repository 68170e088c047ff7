"""The limits of the house, from the source alone: lines of files and functions, parameters, modules of folders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("consumers", "models", "serving")
FILE_LINES, FUNCTION_LINES, PARAMETERS, MODULES = 300, 50, 6, 13
"""The most of each. A folder holds a dozen modules and its `__init__.py`."""


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Yield each function and whether it belongs to a class."""
    methods = {id(part) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for part in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, id(node) in methods


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of signature and body; docstrings are no code."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


@pytest.mark.parametrize("room", ROOMS)
def test_files(room: str) -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources()
        if path.is_relative_to(ROOT / room) and (count := len(path.read_text().splitlines())) > FILE_LINES
    }
    assert long == {}


def test_functions() -> None:
    """Constructors of structs may take more parameters than six; `self` and `cls` do not count."""
    long, wide = {}, {}
    for path in sources():
        for node, method in functions(ast.parse(path.read_text())):
            name = f"{path.relative_to(ROOT)}:{node.name}"
            if lines_of(node) > FUNCTION_LINES:
                long[name] = lines_of(node)
            given = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
            static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
            if node.name != "__init__" and given - (method and not static) > PARAMETERS:
                wide[name] = given
    assert (long, wide) == ({}, {})


def test_folders() -> None:
    counts = {
        str(folder.relative_to(ROOT)): len(list(folder.glob("*.py")))
        for folder in {path.parent for path in sources()}
    }
    assert {name: count for name, count in counts.items() if count > MODULES} == {}


def test_the_limits_can_fail() -> None:
    tree = ast.parse(
        "class A:\n    def f(self, a, b):\n        '''Two\n        lines.'''\n        return a\n"
    )
    assert [(node.name, method, lines_of(node)) for node, method in functions(tree)] == [("f", True, 2)]
