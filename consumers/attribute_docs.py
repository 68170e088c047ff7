"""Find what the strings below the attributes of a class say, so that help is written once: beside the attribute."""

from __future__ import annotations

import ast
import inspect
import textwrap


def attribute_docs(struct: type) -> dict[str, str]:
    """Return the string below each attribute of a class body, by attribute name."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(before, ast.AnnAssign)
            and isinstance(before.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[before.target.id] = inspect.cleandoc(str(after.value.value))
    return found
