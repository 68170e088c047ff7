"""Find what a struct says of itself and of its attributes, so that help is written once: beside the attribute."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, get_origin

import msgspec


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


def own_doc(struct: type) -> str:
    """Return the docstring of a class; "" if it has none of its own."""
    return inspect.cleandoc(struct.__doc__ or "") if "__doc__" in vars(struct) else ""


def is_struct(kind: Any) -> bool:
    """Return whether a type hint names a struct."""
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, msgspec.Struct)


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    """Return the value of an attribute that is not given; msgspec.NODEFAULT if it is needed."""
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
