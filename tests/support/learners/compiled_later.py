"""Learn, save, load and go on, as a service does, and print which kernels had to be compiled for it.

Run it as `python -m tests.support.learners.compiled_later`: it looks at the cache, so it needs a fresh process.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from consumers.bench.parts.learning import learn, make_arms
from consumers.bench.parts.stream import generated
from models import kernels
from models.state.checkpoint import CheckpointDirectory, snapshot


def main() -> None:
    stream = generated(600)
    arms = make_arms(stream)
    learn(arms, stream.events[:200], 1)
    learn(arms, stream.events[200:400], 16)
    again = make_arms(stream)
    with tempfile.TemporaryDirectory() as folder:
        directory = CheckpointDirectory(Path(folder))
        directory.save(snapshot({"arms": arms.live(), "offsets": []}))
        state, _ = directory.load()
    assert state is not None
    again.load(state["arms"])
    learn(again, stream.events[400:], 256)
    for event in stream.events[:20]:
        again.full.score(event)
    users = [None, *list(again.full.users)[:20]]
    for domain in stream.domains:
        again.recommend(users, domain.name, 50, 10)
        again.report(domain.name)
    compiled = [one.py_func.__name__ for one in kernels.KERNELS if one.stats.cache_misses]
    read = [one.py_func.__name__ for one in kernels.KERNELS if one.stats.cache_hits]
    print(json.dumps({"compiled": compiled, "read": read}))


if __name__ == "__main__":
    main()
