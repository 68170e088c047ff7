"""Every show and every click on it counts once in the appeals of every shard, through crashes and other numbers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.rescaling.run import RescaleOptions, rescale
from consumers.service.pipeline import Pipeline
from tests.support.doubles import ListSource
from tests.support.log.shown_log import with_impressions
from tests.support.log.user_log import learn_and_stop, settings_of, shards_of, stop, user_log

torch.set_num_threads(1)

LOG = with_impressions(user_log(500), share=0.4)
Sums = dict[tuple[str, str], tuple[float, float]]


def sums(pipeline: Pipeline) -> Sums:
    """Return clicks and shows of each item of the item topics. A show of another item counts once an event names it."""
    full, found = pipeline.arms.full, Sums()
    for domain, number in full.index.items():
        ids = [f"{domain[0]}{n}" for n in range(30)]
        rows = np.array([full.catalogues[number].ids.get(item) for item in ids])
        clicks, shows = (full.appeal.column(number, name, rows).tolist() for name in ("clicks", "shows"))
        found |= {(domain, i): (c, s) for i, c, s in zip(ids, clicks, shows, strict=True) if s or c}
    return found


def learned(shards: Sequence[tuple[Pipeline, ListSource]]) -> list[Sums]:
    """Let all shards read their log and then each other's facts; return what each has counted."""
    for pipeline, source in shards:
        while not source.exhausted or len(pipeline.batcher):
            pipeline.step()
    for pipeline, _ in shards:
        if pipeline.sharing is not None:
            pipeline.sharing.settle(0.0)
    for pipeline, _ in shards:
        pipeline.step()
    found = [sums(pipeline) for pipeline, _ in shards]
    for pipeline, _ in shards:
        stop(pipeline)
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Sums]:
    """What one process counts, by the length of the log."""
    found = {}
    for end in (500, 800, len(LOG)):
        (found[end],) = learned(shards_of(tmp_path_factory.mktemp("one"), LOG[:end]))
    assert sum(shows for _, shows in found[500].values()) > 500
    assert sum(clicks for clicks, _ in found[len(LOG)].values()) > 50
    return found


def test_they_count_once_through_many_numbers_of_shards(expected: dict[int, Sums], tmp_path: Path) -> None:
    facts = list[bytes]()
    learn_and_stop(shards_of(tmp_path, LOG[:500]))
    for count, end in ((4, 800), (3, len(LOG))):
        rescale(settings_of(tmp_path), RescaleOptions(count), lambda _: None)
        for found in learned(shards_of(tmp_path, LOG[:end], facts)):
            assert found == expected[end]
    rescale(settings_of(tmp_path), RescaleOptions(1), lambda _: None)
    ((one, _),) = shards_of(tmp_path, LOG)
    assert sums(one) == expected[len(LOG)]
    stop(one)


@pytest.mark.parametrize("turns", [1, 4, 9])
def test_a_shard_that_crashes_counts_nothing_twice(
    expected: dict[int, Sums], tmp_path: Path, turns: int
) -> None:
    """It shares what no checkpoint of it holds, and is killed."""
    facts = list[bytes]()
    learn_and_stop(shards_of(tmp_path, LOG[:500]))
    rescale(settings_of(tmp_path), RescaleOptions(2), lambda _: None)
    kept = tmp_path.parent / f"{tmp_path.name}-kept"
    shutil.copytree(tmp_path, kept)
    (first, _), (second, _) = shards_of(tmp_path, LOG[:800], facts)
    for _ in range(turns):
        first.step()
    assert first.sharing is not None
    first.sharing.settle(0.0)
    first.step()  # it learns some more, which is lost with it
    for killed in (first, second):
        assert killed.checkpointer is not None
        killed.checkpointer.close()
    for found in learned(shards_of(kept, LOG, facts)):
        assert found == expected[len(LOG)]


def test_one_process_goes_on_only_from_appeals_that_have_everything(tmp_path: Path) -> None:
    """The first shard stops before the second has shown anything."""
    facts = list[bytes]()
    first_events = next(n for n, record in enumerate(LOG) if record.topic.startswith("interactions"))
    learn_and_stop(shards_of(tmp_path, LOG[:first_events]))
    rescale(settings_of(tmp_path), RescaleOptions(2, partitions=8), lambda _: None)
    impressions = [
        r for r in LOG[:200] if not r.topic.startswith("interactions") or b"impression" in (r.value or b"")
    ]
    learn_and_stop(shards_of(tmp_path, impressions, facts))
    with pytest.raises(Stop, match="has not learned all that shard 1 has shared") as caught:
        rescale(settings_of(tmp_path), RescaleOptions(1, base=0), lambda _: None)
    assert caught.value.code == STATE_UNUSABLE
