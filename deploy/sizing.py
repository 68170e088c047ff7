"""Say how much a service needs: `python -m deploy.sizing USERS ITEMS DOMAINS EVENTS_A_SECOND [BYTES_A_USER]`.

Without arguments it rewrites the table of deploy/docs/operators.md. The figures of `MEASURED` come from the commands
that stand beside them; everything else is multiplication.
"""

from __future__ import annotations

import sys
from math import ceil
from pathlib import Path
from typing import NamedTuple

from deploy.markdown import replaced

PAGE = Path(__file__).parent / "docs" / "operators.md"
BEGIN, END = "<!-- sizing: python -m deploy.sizing -->", "<!-- end of sizing -->"
MEBIBYTE = 2**20


class Measured(NamedTuple):
    """Bytes, if no other unit is named. AMD EPYC, 2 cores, 2026-12-01, 10,000 events of 2,185 users in 3 domains."""

    user: int = 984
    """In the tables. `python -m tests.bench.sizing`, as the next four; a user had 4.6 events."""
    item: int = 1_755
    shared: int = 26_243_155
    """Weights, samples and queues, which belong to no user and no item."""
    process: int = 666_000_000
    """The process without its tables: Python, torch, numba, compiled code."""
    checkpoint: float = 0.55
    """Bytes of a whole checkpoint for each byte of the tables."""
    stored_user: int = 750
    """In Redis. `python -m tests.bench.store_memory`, as the next two, on Redis 7.0."""
    stored_list: int = 8_362
    """A list of 50 in one domain, the first 10 explained."""
    stored_item: int = 741
    stored_neighbours: int = 2_300
    """20 neighbours of an item; `redis-cli memory usage cc:similar:…`."""
    read_ahead: int = 144_000_000
    """Records read ahead (64 MB), and batches of Kafka that are not unpacked (up to 80 MB)."""
    events_a_core: int = 1_900
    """Events a second. `crosscurrent bench` drained 3,887 a second on two cores, broker and store on them too."""


MEASURED = Measured()
ONE_PROCESS = 2 * MEASURED.events_a_core
"""The most events a second for one process: a second thread helps, a third does not."""
WHOLE_CHECKPOINTS = 8
COPIES = 2
"""Another process makes whole checkpoints from increments, and needs twice the tables' memory meanwhile."""
ROOM = 1.25
"""What the store's `maxmemory` should be above what is stored."""


class Load(NamedTuple):
    """What a service has to bear. domains: those with lists. user: bytes of a user in the tables, if known."""

    users: int
    items: int
    domains: int
    events: int
    user: int = MEASURED.user


class Size(NamedTuple):
    """What it needs: cores, and bytes. processes: above 1, see `deploy/docs/shards.md`, and each needs its share."""

    processes: int
    cores: int
    memory: int
    redis: int
    disk: int


EXAMPLES = (
    Load(10_000, 5_000, 3, 100),
    Load(100_000, 10_000, 3, 1_000),
    Load(1_000_000, 100_000, 2, 3_000),
    Load(5_000_000, 500_000, 2, 3_800),
)
DEFAULT = EXAMPLES[1]
"""What the Helm chart asks for."""


def sized(load: Load) -> Size:
    """Return what one service needs for this load.

    >>> sized(Load(users=0, items=0, domains=1, events=1)).memory == (
    ...     MEASURED.process + MEASURED.read_ahead + (1 + COPIES) * MEASURED.shared
    ... )
    True
    """
    tables = load.users * load.user + load.items * MEASURED.item + MEASURED.shared
    of_user = MEASURED.stored_user + load.domains * MEASURED.stored_list
    of_item = MEASURED.stored_item + MEASURED.stored_neighbours
    return Size(
        processes=ceil(load.events / ONE_PROCESS),
        cores=ceil(load.events / MEASURED.events_a_core),
        memory=MEASURED.process + MEASURED.read_ahead + (1 + COPIES) * tables,
        redis=round(ROOM * (load.users * of_user + load.items * of_item)),
        disk=round(WHOLE_CHECKPOINTS * MEASURED.checkpoint * tables),
    )


def requests(load: Load = DEFAULT) -> dict[str, str]:
    """Return the same as requests of Kubernetes, memory in steps of 256Mi."""
    size = sized(load)
    return {"cpu": str(size.cores), "memory": f"{ceil(size.memory / (256 * MEBIBYTE)) * 256}Mi"}


def table() -> str:
    lines = [
        BEGIN,
        "| events a second | users | items | domains with lists | cores | memory | Redis, `maxmemory` | checkpoints |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for load in EXAMPLES:
        size = sized(load)
        amounts = " | ".join(f"{amount / 1e9:,.1f} GB" for amount in (size.memory, size.redis, size.disk))
        lines.append(
            f"| {load.events:,} | {load.users:,} | {load.items:,} | {load.domains} | {size.cores} | {amounts} |"
        )
    return "\n".join([*lines, END])


def rewritten(text: str) -> str:
    """Return the page with the table between its marks replaced. Raises ValueError if the marks are not there once."""
    return replaced(text, BEGIN, END, table())


def main(words: list[str]) -> None:
    if not words:
        PAGE.write_text(rewritten(PAGE.read_text()))
        return
    if len(words) not in (4, 5) or not all(word.isdigit() for word in words):
        sys.exit(__doc__)
    size = sized(Load(*map(int, words)))
    shards = "" if size.processes == 1 else f", in {size.processes} processes or more: deploy/docs/shards.md"
    print(  # noqa: T201
        f"{size.cores} core{'' if size.cores == 1 else 's'}{shards}, memory {size.memory / 1e9:.1f} GB, "
        f"Redis maxmemory {size.redis / 1e9:.1f} GB, disk {size.disk / 1e9:.1f} GB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
