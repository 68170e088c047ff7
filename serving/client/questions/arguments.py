"""Check what a reader is asked, before anything is sent: a wrong argument would pass for a question without answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import index
from typing import Any

from ..pseudonyms import KEY_LENGTH, Pseudonyms
from .plans import Choice


def pseudonyms(key: str | None) -> Pseudonyms:
    """Return the pseudonyms of a reader. Raises TypeError, and ValueError for a key that no service has."""
    if key is not None and len(text("key", key)) < KEY_LENGTH:
        raise ValueError(
            f"key: the service's privacy.key has at least {KEY_LENGTH} characters, this one has {len(key)}; "
            "None for a service without one"
        )
    return Pseudonyms(key)


def text(name: str, value: Any) -> str:
    """Return the value. Raises TypeError for anything but a str."""
    if not isinstance(value, str):
        shown = "" if name == "key" else f"={value!r}"  # a key is a secret
        raise TypeError(f"{name}{shown}: a str is wanted, as in the events, not {type(value).__name__}")
    return value


def texts(name: str, values: Iterable[Any]) -> list[str]:
    """Return each of the values once. Raises TypeError for a single str, and for values that are no str."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}={values!r}: a collection of str is wanted, not {type(values).__name__}")
    return list(dict.fromkeys(text(f"{name}: an element", one) for one in values))


def choice(
    k: int, exclude: Collection[str] = (), category: str | None = None, diversity: float = 0.0
) -> Choice:
    """Return the choice. Raises TypeError and ValueError."""
    try:
        wanted = index(k)
    except TypeError:
        raise TypeError(f"k={k!r}: a whole number is wanted, not {type(k).__name__}") from None
    if wanted < 0:
        raise ValueError(f"k={k}: a number of items is wanted, 0 or more")
    if category is not None:
        text("category", category)
    if not isinstance(diversity, (int, float)):
        raise TypeError(f"diversity={diversity!r}: a number is wanted, not {type(diversity).__name__}")
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity={diversity}: a number from 0 to 1 is wanted")
    return Choice(wanted, frozenset(texts("exclude", exclude)), category, float(diversity))
