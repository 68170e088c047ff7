"""Read River's detectors from their pickles, and let a pickle name nothing else.

River offers no other form. A pickle may name any function of any module and call it, so whoever can write a
checkpoint could run code. Here it may name the classes of our two detectors and their parts.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from river.drift import PageHinkley

ALLOWED = {
    ("river.drift.adwin", "ADWIN"),
    ("river._river_rust.drift", "AdaptiveWindowing"),
    ("river.drift.page_hinkley", "PageHinkley"),
    ("river.stats.mean", "Mean"),
}
"""Module and name of each class. Other versions of River may have others: then a detector begins again."""
DIRECTIONS = {"_test_both", "_test_increase", "_test_decrease"}
"""The methods of which a Page-Hinkley detector keeps one, by `getattr`."""


def dumped(detector: Any) -> bytes:
    """Return the bytes of one of River's detectors."""
    return pickle.dumps(detector)


def loaded(pickled: bytes) -> Any:
    """Return the detector. Raises UnpicklingError if the bytes name anything that is none of its parts.

    >>> loaded(dumped(PageHinkley(threshold=3.0))).threshold
    3.0
    >>> loaded(pickle.dumps(print))
    Traceback (most recent call last):
    _pickle.UnpicklingError: builtins.print is no part of a detector
    """
    return _Detectors(io.BytesIO(pickled)).load()


class _Detectors(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _direction
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a detector")


def _direction(detector: Any, name: str) -> Any:
    if type(detector) is PageHinkley and name in DIRECTIONS:
        return getattr(detector, name)
    raise pickle.UnpicklingError(f"attribute {name} is no part of a detector")
