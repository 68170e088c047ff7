"""`crosscurrent recommend`: print one list as a table, and return its figures for `--json`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from consumers.terminal import log
from consumers.terminal.plain_text import joined, plain
from consumers.terminal.reasons import speaking_for
from serving.client import Reader

REASONS = 3


def show_recommendations(
    reader: Reader, user: str, domain: str, k: int, console: Console | None = None
) -> dict[str, Any]:
    """Print the list; return it as plain values. Raises serving.client.Unreachable."""
    console = console or log.console()
    got = reader.recommend(user, domain, k)
    titles = reader.titles(domain, [item.id for item in got.items])
    age = "" if got.age_seconds is None else f", written {_ago(got.age_seconds)} ago by model {got.model}"
    meaning = {
        "personal": "their own list",
        "popular": "no list of their own: popular items",
        "empty": "nothing is known of this domain",
    }[got.origin]
    console.print(joined((domain, "bold"), " for ", (user, "bold"), f": {meaning}{age}"))
    if got.items:
        console.print(_table(got.items, titles))
    return {
        "user": user,
        "domain": domain,
        "origin": got.origin,
        "age_seconds": got.age_seconds,
        "model": got.model,
        "items": [{"id": i.id, "title": titles[i.id], "score": i.score, "why": i.why} for i in got.items],
    }


def _table(items: list[Any], titles: dict[str, str]) -> Table:
    table = Table("#", "item", "title", "score", "why", box=None, pad_edge=False)
    for place, item in enumerate(items, 1):
        parts = item.why or {}
        names = speaking_for(parts)
        names += sorted(parts.keys() - names, key=lambda name: parts[name])
        why = [(name, parts[name]) for name in names[:REASONS]]
        table.add_row(
            str(place),
            plain(item.id),
            plain(titles[item.id]) if titles[item.id] else plain("no title", "dim"),
            f"{item.score:.3f}",
            plain(", ".join(f"{name} {value:+.2f}" for name, value in why)),
        )
    return table


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
