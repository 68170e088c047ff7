"""The laws of rescaling, on checkpoints that real pipelines have written: all users' state is dealt out, once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Record
from consumers.rescaling.run import RescaleOptions, rescale
from consumers.rescaling.shard_states import Topics, shard_states
from consumers.rescaling.shared_places import SharedEnds
from consumers.service.offline import offline_pipeline
from consumers.service.pipeline import Pipeline
from consumers.sharing.layout import Layout, load_layout, partition_of
from models.migration.reshard import Plan
from models.signals.popularity import EVER
from models.state.snapshot import snapshot
from tests.support.clock import Clock
from tests.support.doubles import ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.memory_facts import MemoryFacts
from tests.support.log.user_log import (
    INTERACTIONS,
    PARTITIONS,
    counts_of,
    learn_and_stop,
    settings_of,
    shards_of,
    stop,
    user_log,
)
from tests.support.service.pipelines import list_pipeline
from tests.support.store.all_writes import all_writes

torch.set_num_threads(1)

LOG = user_log(700)


def quiet(_line: str) -> None:
    """Say nothing."""


# Every table that depends on users is dealt out


def learned(
    directory: Path, name: Callable[[int], str], other_users: bool = False, other_items: bool = False
) -> dict[str, Any]:
    """Return the state of a pipeline that has learned and made lists.

    other_users, other_items: whether rows are given out from the last one down.
    """
    source = ListSource(user_log(400, name))
    pipeline = list_pipeline(settings_of(directory), source)
    pipeline.restore()
    full = pipeline.arms.full
    tables = [full.users] * other_users + [catalogue.ids for catalogue in full.catalogues] * other_items
    for catalogue in full.catalogues * other_items:
        for n in range(40):
            catalogue.touch(f"x{n}")
    for table in tables:  # a row that became free last is given out first
        for n in range(40):
            table.touch(f"x{n}")
        for n in range(40):
            table.discard(f"x{n}")
    while not source.exhausted or len(pipeline.batcher) >= 16:
        pipeline.step()
    for write in all_writes(pipeline.queue):
        assert write.key
    for n in range(5):
        pipeline.queue.event(name(n), "books", "b1", 0)
        pipeline.queue.user_evicted(f"gone-{name(n)}")
    pipeline.arms.full.rows.evicted_users += [f"left-{name(n)}" for n in range(5)]
    return decoded(snapshot(pipeline.state()))


def resharded(states: list[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    learner = offline_pipeline(settings_of(Path("unused"))).arms.full
    return shard_states(states, learner, plan, Topics(frozenset(INTERACTIONS), "forget", "reroute"))


def test_whatever_depends_on_users_is_dealt_out(tmp_path: Path) -> None:
    """A table by user that `reshard` does not know would be copied whole to each shard, and is named here.

    Two pipelines learn one stream, in which users have other ids and rows. What differs afterwards depends on users.
    """
    one = learned(tmp_path, "u{}".format)
    other = learned(tmp_path, "v{}".format, other_users=True)
    of_users = differences(one, other)
    for part in (
        "taste",
        "history",
        "slow",
        "dedup",
        "marks",
        "outbox.users",
        "outbox.left",
        "on_lists",
        "seen",
    ):
        assert any(part in path for path in of_users), part
    plan = Plan(lambda _shard, user: partition_of(user, PARTITIONS) % 3, 3)
    assert copied_whole(one, other, resharded([one], plan)) == []


def copied_whole(one: dict[str, Any], other: dict[str, Any], made: list[dict[str, Any]]) -> list[str]:
    """Return the paths that depend on users, and hold the same in most of the shards made from `one`."""
    changed = [
        [path for path in differences(one, state) if not isinstance(leaf(one, path), dict)] for state in made
    ]

    def dealt(path: str) -> bool:
        kin = [
            any(path == q or path.startswith(f"{q}.") or q.startswith(f"{path}.") for q in paths)
            for paths in changed
        ]
        return sum(kin) >= 2

    return [path for path in differences(one, other) if not dealt(path)]


def test_a_table_that_is_not_dealt_out_is_seen(tmp_path: Path) -> None:
    """The law above has teeth: it names a table of users that is new and nobody knows."""
    one, other = learned(tmp_path, "u{}".format), learned(tmp_path, "v{}".format, other_users=True)
    for state, users in ((one, ["u1", "u2"]), (other, ["v1", "v2"])):
        state["arms"]["full"]["history"]["new"] = users
    made = resharded([one], Plan(lambda _shard, user: partition_of(user, PARTITIONS) % 3, 3))
    assert copied_whole(one, other, made) == [f".arms.full.history.new.{n}" for n in range(2)]


def test_whatever_names_items_by_row_is_translated(tmp_path: Path) -> None:
    """Users come from a shard whose items have other rows than those of the base, and are as if they had the base's.

    Only whole numbers can be rows. Numbers with a fraction differ a little, because the network draws other candidates.
    """
    base = learned(tmp_path, "u{}".format)
    other = learned(tmp_path, "u{}".format, other_items=True)
    assert any(path.startswith(".arms.full.history.recent.row") for path in whole_numbers(base, other))
    (made,) = resharded([other, base], Plan(lambda _shard, _user: 0, 1, base=1))
    # Lists by tag, neighbours found anew, see `test_shard_states`; ids in another order.
    named_otherwise = (".outbox.on_lists.", ".outbox.neighbours.", ".dedup.")
    rounded = (".slopes.values", ".steps.gain")  # numbers with a fraction, in 16 bits
    unlike = [
        path
        for path in whole_numbers(base, made)
        if not path.startswith(named_otherwise) and not path.endswith(rounded)
    ]
    assert unlike == []


def whole_numbers(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the paths of whole numbers that differ. Of tables only the rows that both have count."""
    found = []
    for path in differences(one, other):
        a, b = (leaf(state, path) for state in (one, other))
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            rows = min(len(a), len(b))
            if a.dtype.kind != "f" and not np.array_equal(a[:rows], b[:rows]):
                found.append(path)
            whole = a.dtype.kind == "f" and np.array_equal(a, np.rint(a))
            if whole and not np.array_equal(a[:rows], b[:rows]):  # latest items: domain, row and time
                found.append(path)
        elif isinstance(a, int) or isinstance(b, int):
            found.append(path)
    return found


def leaf(tree: Any, path: str) -> Any:
    for key in filter(None, path.split(".")):
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


# Exactly once, through directories


def test_every_event_is_counted_once_through_many_counts(tmp_path: Path) -> None:
    """Half of the log by one process, then 4 → 2 → 3 → 1 → 8 → 4 shards, each with some more of it."""
    parts, facts = [250, 320, 390, 460, 530, 600, len(LOG)], list[bytes]()
    found = learn_and_stop(shards_of(tmp_path, LOG[: parts[0]]))
    assert found == counts_of(LOG[: parts[0]])
    for epoch, (count, end) in enumerate(zip((4, 2, 3, 1, 8, 4), parts[1:], strict=True), 1):
        made = rescale(settings_of(tmp_path), RescaleOptions(count), quiet)
        assert (made.layout.epoch, made.layout.count) == (epoch, count)
        shards = shards_of(tmp_path, LOG[:end], facts)
        found = learn_and_stop(shards)
        assert found == counts_of(LOG[:end])
        assert counted(shards[-1][0]) == items_of(LOG[:end]), "the last one has learned what all have shared"
    folders = sorted(path.name for path in tmp_path.glob("layout-*"))
    assert folders == [f"layout-{n}" for n in range(1, 7)]
    assert load_layout(tmp_path / "layout-2") == Layout(
        2, 2, dict.fromkeys(sorted(INTERACTIONS), PARTITIONS), [f"layout-1/shard-{n}" for n in range(4)]
    )


def counted(pipeline: Pipeline) -> Counter[tuple[str, str]]:
    """Return how often a shard has counted each item."""
    found: Counter[tuple[str, str]] = Counter()
    full = pipeline.arms.full
    for domain, number in full.index.items():
        counts = full.ranker.statistics.popularity[number].counts
        for item, row in full.catalogues[number].ids.items():
            found[domain, item] = round(float(counts[row, EVER])) if row < len(counts) else 0
    return +found


def items_of(records: list[Record]) -> Counter[tuple[str, str]]:
    """Return the number of events by domain and item, each event once."""
    events = [json.loads(r.value) for r in records if r.topic in INTERACTIONS and r.value is not None]
    of_id = {event["event_id"]: event["item_id"] for event in events}
    return Counter(("movies" if item[0] == "m" else "books", item) for item in of_id.values())


class ListedLog:
    """A `ShardLog` over a list of facts."""

    def __init__(self, facts: list[bytes]) -> None:
        self._facts, self.fenced = facts, 0

    def fence(self, count: int) -> None:
        self.fenced = count

    def facts(self, index: int, count: int) -> MemoryFacts:
        assert index < count
        return MemoryFacts(self._facts, Clock())

    def ends(self) -> SharedEnds:
        return SharedEnds(len(self._facts))


def test_what_the_base_has_not_read_of_the_others_is_read(tmp_path: Path) -> None:
    """The first shard stops before the second has learned anything. Without a broker that is refused."""
    facts = list[bytes]()
    learn_and_stop(shards_of(tmp_path, LOG[:200]))
    rescale(settings_of(tmp_path), RescaleOptions(2), quiet)
    learn_and_stop(shards_of(tmp_path, LOG[:400], facts))
    first = RescaleOptions(1, base=0)
    with pytest.raises(Stop, match="has not learned all that shard 1 has shared") as caught:
        rescale(settings_of(tmp_path), first, quiet)
    assert caught.value.code == STATE_UNUSABLE
    log = ListedLog(facts)
    rescale(settings_of(tmp_path), first, quiet, log=log)
    assert log.fenced == 2
    ((one, _),) = shards_of(tmp_path, LOG[:400])
    assert counted(one) == items_of(LOG[:400])
    stop(one)


def test_what_a_single_process_has_learned_counts_as_applied(tmp_path: Path) -> None:
    (one,) = shards_of(tmp_path, LOG[:300])
    learn_and_stop([one])
    rescale(settings_of(tmp_path), RescaleOptions(2), quiet)
    for index, (pipeline, _) in enumerate(shards_of(tmp_path, LOG[:300])):
        assert pipeline.checkpointer is not None
        state = pipeline.checkpointer.load()
        assert state is not None
        assert state["shards"]["facts"] == 0
        ends = {(r.topic, r.partition): r.offset + 1 for r in LOG[:300]}
        own = {place: end for place, end in ends.items() if place[0] in INTERACTIONS}
        assert state["shards"]["applied"] == [[*place, end] for place, end in sorted(own.items())]
        assert state["shards"]["judged"] == state["shards"]["applied"]
        mine = {place for place in ends if place[0] not in INTERACTIONS or place[1] % 2 == index}
        assert {(topic, n) for topic, n, _ in state["offsets"]} == mine
        pipeline.checkpointer.close()


def test_lists_do_not_change(tmp_path: Path) -> None:
    """Users get the same lists, and their written lists are known by the shard that has them."""
    (one,) = shards_of(tmp_path, LOG[:400])
    before = lists_of([one[0]])
    learn_and_stop([one])
    before = lists_of([one[0]])
    rescale(settings_of(tmp_path), RescaleOptions(3), quiet)
    shards = [pipeline for pipeline, _ in shards_of(tmp_path, LOG[:400])]
    assert lists_of(shards) == before
    for pipeline in shards:
        stop(pipeline)


def lists_of(shards: list[Pipeline]) -> dict[str, list[tuple[str, float]]]:
    found = {}
    for pipeline in shards:
        for user in pipeline.arms.full.users:
            lines = pipeline.arms.recommend([user], "books", 10)[0]
            found[user] = [(line.item_id, line.score) for line in lines]
    return found


# A kill inside the job


def killed_at(directory: Path, files: int) -> None:
    """Run the job in a process that kills itself when it has written so many files."""
    line = [sys.executable, "-m", "tests.support.service.killed_rescale", str(directory), "3", str(files)]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("files", [0, 4, 8])
def test_a_kill_inside_leaves_the_old_epoch_and_the_job_repeatable(tmp_path: Path, files: int) -> None:
    records: list[Record] = LOG[:300]
    learn_and_stop(shards_of(tmp_path, records))
    rescale(settings_of(tmp_path), RescaleOptions(2), quiet)
    killed_at(tmp_path, files)
    layout = load_layout(tmp_path)
    assert layout is not None
    assert layout.count == 2
    assert not (tmp_path / "layout-2").exists()
    assert learn_and_stop(shards_of(tmp_path, LOG[:350])) == counts_of(LOG[:350])  # the old epoch goes on
    assert rescale(settings_of(tmp_path), RescaleOptions(3), quiet).layout.epoch == 2
    assert learn_and_stop(shards_of(tmp_path, LOG[:400])) == counts_of(LOG[:400])
    assert not any(tmp_path.glob("writing-*"))


def test_a_kill_before_the_new_epoch_counts(tmp_path: Path) -> None:
    """Its folder is there, but no shard has run in it: it is made again. One in which a shard ran stays."""
    learn_and_stop(shards_of(tmp_path, LOG[:200]))
    rescale(settings_of(tmp_path), RescaleOptions(2), quiet)
    first = (tmp_path / "layout.json").read_bytes()
    rescale(settings_of(tmp_path), RescaleOptions(3), quiet)
    (tmp_path / "layout.json").write_bytes(first)
    assert rescale(settings_of(tmp_path), RescaleOptions(4), quiet).layout.epoch == 2
    assert learn_and_stop(shards_of(tmp_path, LOG[:250])) == counts_of(LOG[:250])
    (tmp_path / "layout.json").write_bytes(first)  # the operator goes back
    assert rescale(settings_of(tmp_path), RescaleOptions(3), quiet).layout.epoch == 3
    assert load_layout(tmp_path / "layout-2") is not None
