"""What a row of each table takes: `python -m tests.bench.memory [USERS]`.

Two domains; every user with ten seen items a domain, a taste, biases and a list of 50; 100,000 items
with 64 neighbours each. Arrays by what they hold; Python's own objects by the growth of what is allocated.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import tracemalloc
from array import array
from collections.abc import Callable
from typing import Any

from consumers.events.deduplication import DedupWindow
from models.arm_comparison import Arms
from models.signals.neighbour_lists import SIZES
from models.state.tracked_tables import Rows, parts
from serving.publication.publication_queue import Outbox
from tests.bench.checkpoint import DOMAINS, ITEMS, filled


def arrays(live: Any) -> int:
    """Bytes of all arrays by row."""
    return sum(part.values.nbytes for _, part in parts(live) if isinstance(part, Rows))


def allocated(make: Callable[[], Any]) -> int:
    """Bytes of what `make` gives."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return after - before


def per_user(arms: Arms, outbox: Outbox, users: int) -> dict[str, float]:
    full = arms.full
    seen = allocated(lambda: {n: array("q", range(10)) for n in range(10_000)}) / 10_000
    ids = allocated(lambda: again(10_000, arms)) / 10_000
    chains = outbox._index._chains["books"]
    biases = full.rating.cells.arrays
    links = chains.held.nbytes + chains.following.nbytes + chains.preceding.nbytes
    return {
        "id": ids,
        "biases": (biases.user.nbytes + biases.user_domain.nbytes) / users,
        "taste": arrays(full.rating.taste.live()) / users,
        "recent events": arrays(full.history.live()) / users,
        "seen items, ten a domain": seen * len(DOMAINS),
        "ranking slopes": sum(arrays(choice.live()) for choice in full.ranker.choices) / users,
        "list of 50, a domain": links / users,
    }


def again(count: int, arms: Arms) -> Any:
    table = type(arms.full.users)(count)
    for n in range(count):
        table.touch(f"user-{n:08}")
    return table


def per_item(arms: Arms) -> dict[str, float]:
    full, lists = arms.full, arms.full.ranker.statistics.visits.lists
    items = len(DOMAINS) * ITEMS
    return {
        "vector, title, flags": sum(arrays(catalogue.live()) for catalogue in full.catalogues) / items,
        "co-visits, 64 neighbours": (lists.ids.nbytes + lists.weights.nbytes) / items,
        **{f"co-visits, up to {size} neighbours": size * (4 + lists.weights.strides[0]) for size in SIZES},
    }


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    arms, outbox = filled(users)
    window = DedupWindow(1000)
    for n in range(1000):
        window.repeated("movies", str(n), "user")
    for what, rows in (("user", per_user(arms, outbox, users)), ("item", per_item(arms))):
        for name, size in rows.items():
            print(f"{what}: {name:30} {size:8,.0f} bytes")
    print(f"event_id: {arrays(window.live()) / 1000:.0f} bytes in arrays, and an entry of a set")


if __name__ == "__main__":
    main()
