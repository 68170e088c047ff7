"""Measure what `deploy/sizing.py` multiplies: `python -m tests.bench.sizing [EVENTS]` (10,000 events by default).

One process learns the generated stream of `crosscurrent bench memory`, gives every user a list of 50 in every domain,
and writes a checkpoint. It prints the bytes of a user and of an item in the tables, the bytes of the checkpoint for
each byte of the tables, and the memory of the process without the tables. `python -m tests.bench.store_memory`
measures the store.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from consumers.bench.filling.write_checkpoint import live
from consumers.bench.memory import BATCH, WHOLE, figures, with_lists
from consumers.bench.parts.learning import learn, make_arms
from consumers.bench.parts.stream import load
from models.state.checkpoint import CheckpointDirectory, snapshot
from models.threads import use_one_thread
from tests.support.memory import resident


def main() -> None:
    use_one_thread()
    stream = load("", WHOLE)
    arms = make_arms(stream)
    events = stream.events[:: max(1, WHOLE // (int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))]
    learn(arms, events, BATCH)
    queue = with_lists(arms)
    found = figures(arms, queue)
    tables = (
        found["users"] * found["user_bytes"] + found["items"] * found["item_bytes"] + found["shared_bytes"]
    )
    before = resident()
    with tempfile.TemporaryDirectory() as folder:
        path = CheckpointDirectory(Path(folder)).save(snapshot(live(arms, queue) | {"offsets": []}))
        written = sum(file.stat().st_size for file in path.iterdir())
    print(
        f"{len(events):,} events, {found['users']:,} users, {found['items']:,} items, {len(arms.full.domains)} domains"
    )
    print(
        f"a user {found['user_bytes']:,} bytes, an item {found['item_bytes']:,} bytes, shared {found['shared_bytes']:,}"
    )
    print(f"checkpoint {written:,} bytes: {written / tables:.2f} of the tables' {tables:,}")
    print(f"the process without the tables: {(before - tables) / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
