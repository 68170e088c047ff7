"""Merge a state and the changes since into one state. Each table is rebuilt once, for any number of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.flat_lists import flat_places
from models.state.tracked_tables import Changed

Changes = Sequence[dict[str, Any]]
"""Results of a table's `changes`, oldest first."""


def merged(base: Any, changes: Sequence[Any]) -> Any:
    """Return the state after all changes, oldest first. `base`, the state before them, must not be used afterwards.

    Raises KeyError, ValueError or IndexError if they do not fit.

    >>> change = Changed("rows", {"rows": np.array([1]), "values": np.array([7]), "length": 2})
    >>> merged({"count": np.array([5])}, [{"count": change}])["count"].tolist()
    [5, 7]
    """
    if not changes:
        return base
    last = changes[-1]
    if isinstance(last, Changed):
        before, tail = _split(changes, lambda one: isinstance(one, Changed) and one.kind == last.kind)
        return MERGE[last.kind](merged(base, before), [one.what for one in tail])
    if isinstance(last, dict):
        before, tail = _split(changes, lambda one: isinstance(one, dict))
        held = base if not before and isinstance(base, dict) else {}
        return {key: _at(held, tail, key) for key in last}
    if isinstance(last, list) and any(isinstance(item, dict | list | Changed) for item in last):
        before, tail = _split(changes, lambda one: isinstance(one, list) and len(one) == len(last))
        fits = not before and isinstance(base, list) and len(base) == len(last)
        old = base if fits else [None] * len(last)
        return [merged(*column) for column in zip(old, zip(*tail, strict=True), strict=True)]
    return last


def _split(changes: Sequence[Any], alike: Callable[[Any], bool]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the changes before the last run of similar ones, and that run."""
    run = sum(1 for _ in takewhile(alike, reversed(changes)))
    return changes[: len(changes) - run], changes[len(changes) - run :]


def _at(held: dict[Any, Any], changes: Sequence[dict[Any, Any]], key: Any) -> Any:
    """Return the value at a key. The state before counts only if every change has the key."""
    missing, tail = _split(changes, lambda one: key in one)
    return merged(None if missing else held.get(key), [one[key] for one in tail])


def _merge_rows(base: NDArray[Any], changes: Changes) -> NDArray[Any]:
    for change in changes:
        values = change["values"]
        if base.shape[1:] != values.shape[1:] or base.dtype != values.dtype:
            raise ValueError(
                f"rows of {values.dtype} {values.shape[1:]} for a table of {base.dtype} {base.shape[1:]}"
            )
    lengths = [len(base), *(change["length"] for change in changes)]
    if max(lengths) > len(base):
        old, base = base, np.zeros((max(lengths), *base.shape[1:]), base.dtype)
        base[: len(old)] = old
    for before, change in zip(lengths, changes, strict=False):
        base[change["length"] : before] = 0
        base[change["rows"]] = change["values"]
    return base[: lengths[-1]]


def _merge_texts(base: list[str], changes: Changes) -> list[str]:
    values = list(base)
    for change in changes:
        del values[change["length"] :]
        values.extend([""] * (change["length"] - len(values)))
        for row, text in zip(change["rows"], change["values"], strict=True):
            values[row] = text
    return values


def _merge_order(base: dict[str, Any], changes: Changes) -> dict[str, Any]:
    rows = dict(zip(base["ids"], base["rows"], strict=True))
    for change in changes:
        for key in (*change["gone"], *change["ids"]):
            rows.pop(key, None)
        rows.update(zip(change["ids"], change["rows"], strict=True))
    return {"ids": list(rows), "rows": list(rows.values()), "free": changes[-1]["free"]}


def _merge_named(base: dict[str, Any], changes: Changes) -> dict[str, Any]:
    place = {name: n for n, name in enumerate(base["names"])}
    end = len(place)
    for change in changes:
        for name in change["gone"]:
            place.pop(name, None)
        place.update(zip(change["names"], range(end, end + len(change["names"])), strict=True))
        end += len(change["names"])
    at = np.fromiter(place.values(), np.int64, len(place))
    columns = _joined((name for name in changes[-1] if name not in ("names", "gone")), [base, *changes])
    return {"names": list(place), **{name: column[at] for name, column in columns.items()}}


def _merge_lists(base: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Take each row's list from the last part that touched it."""
    parts = [base, *changes]
    touched = [part.get("touched", part["users"]) for part in parts]
    rows, part_of = np.concatenate(touched), np.repeat(np.arange(len(parts)), list(map(len, touched)))
    latest = np.zeros(int(rows.max(initial=-1)) + 1, np.int64)
    np.maximum.at(latest, rows, part_of)
    users, lengths = (np.concatenate([part[name] for part in parts]) for name in ("users", "lengths"))
    of = np.repeat(np.arange(len(parts)), [len(part["users"]) for part in parts])
    begins = np.cumsum(lengths) - lengths
    kept = np.flatnonzero(latest[users] == of)
    kept = kept[np.argsort(users[kept], kind="stable")]
    at = flat_places(begins[kept], lengths[kept])
    flat = _joined((name for name in changes[-1] if name not in ("touched", "users", "lengths")), parts)
    entries = {name: column[at] for name, column in flat.items()}
    return {"users": users[kept], "lengths": lengths[kept], **entries}


def _merge_places(base: dict[str, Any], changes: Changes) -> dict[str, Any]:
    names = [name for name in changes[-1] if name != "at"]
    change = _joined(["at", *names], changes)
    at, latest = np.unique(change["at"][::-1], return_index=True)
    latest = len(change["at"]) - 1 - latest
    kept, filled = ~np.isin(base["at"], at), change[names[0]][latest] >= 0
    at = np.concatenate([base["at"][kept], at[filled]])
    order = np.argsort(at, kind="stable")
    columns = {
        name: np.concatenate([base[name][kept], change[name][latest[filled]]])[order] for name in names
    }
    return {"at": at[order], **columns}


def _joined(names: Iterable[str], parts: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


MERGE: dict[str, Callable[[Any, Changes], Any]] = {
    "rows": _merge_rows,
    "texts": _merge_texts,
    "order": _merge_order,
    "named": _merge_named,
    "lists": _merge_lists,
    "places": _merge_places,
}
