"""Make lines of a file of impressions by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LINE: dict[str, Any] = {
    "user_id": "alice",
    "domain": "books",
    "items": ["dune", "emma"],
    "clicks": ["emma"],
    "pool": {
        "items": ["emma", "dune", "solaris"],
        "scores": [0.0, 0.1, 0.0],
        "temperature": 0.1,
        "share": 0.2,
        "new": ["solaris"],
        "other_scores": {"b": [3.0, 1.0, 2.0]},
    },
}
"""A list that was drawn: weights e⁻¹, 1, e⁻¹, the last a new item."""
PLACE: dict[str, Any] = {
    "user_id": "bob",
    "domain": "shop",
    "items": ["hat"],
    "places": [3],
    "clicks": [],
    "pool": {
        "items": ["hat", "tie"],
        "probabilities": [[0.8, 0.2]],
        "other_probabilities": {"other": [[0.4, 0.6]]},
    },
}
"""One place of a list whose places have known probabilities."""


def changed(line: dict[str, Any], pool: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return the line with other fields, and other fields of its pool; those that are None are left out."""
    whole = line | fields | {"pool": line["pool"] | (pool or {})}
    whole["pool"] = {name: value for name, value in whole["pool"].items() if value is not None}
    return {name: value for name, value in whole.items() if value is not None}


def write_lines(path: Path, lines: Iterable[dict[str, Any] | str]) -> Path:
    """Write a line for each; text as it is."""
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    return path
