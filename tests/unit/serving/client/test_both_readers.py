"""Both readers can be asked the same, in the same words."""

from __future__ import annotations

import inspect

from serving.client import AsyncReader, Reader

OWN = {"close", "aclose"}


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in vars(kind).items()
        if not name.startswith("_") and name not in OWN
    }


def test_the_same_methods_with_the_same_parameters() -> None:
    assert methods(Reader) == methods(AsyncReader)
    assert inspect.signature(Reader.__init__) == inspect.signature(AsyncReader.__init__)
    assert len(methods(Reader)) >= 6
