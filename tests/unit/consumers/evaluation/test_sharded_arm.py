"""The learner as several shards in one process: one network for all, learned from the facts of all, in time or late."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.config.loader import build
from consumers.evaluation.dataset import Data, Vectors
from consumers.evaluation.sharded_arm import NEVER, Lag, Shards
from models.learning.micro_batches import micro_batches
from models.schema import Item
from tests.laws.test_batches import DOMAINS, ITEMS, event

EVENTS, STEP = 384, 64


def learned(lag: Lag, count: int = 3) -> Shards:
    items = [Item(d.name, f"{d.name[0]}{n}", f"Title {n}") for d in DOMAINS for n in range(ITEMS)]
    raw = np.random.default_rng(0).standard_normal((len(items), 80)).astype(np.float32)
    events = [event(n) for n in range(EVENTS)]
    data = Data(events, items, DOMAINS, "books", (1.0, 5.0), np.arange(1.0, 6.0), 0, 0)
    domains = {d.name: {"role": d.role} for d in DOMAINS}
    settings = build({"domains": domains, "intake": {"network_events": STEP}})
    shards = Shards(data, Vectors(np.arange(len(items)), raw), settings, count, lag)
    for batch in micro_batches(events):
        for shard, own in shards.parts(batch):
            shards.learn(shard, own)
    return shards


@pytest.fixture(scope="module")
def at_once() -> Shards:
    return learned(Lag(0.0, 0))


def test_all_shards_have_the_network_that_one_trainer_learns(at_once: Shards) -> None:
    first, *others = [copy.full for copy in at_once.copies]
    assert first.model >= EVENTS // STEP - 2
    for other in others:
        assert other.model == first.model
        for d, catalogue in enumerate(first.catalogues):
            rows = [other.catalogues[d].ids.get(item) for item in catalogue.id_of]
            np.testing.assert_allclose(
                other.network.item_vectors(d)[rows], first.network.item_vectors(d), atol=1e-5
            )


def test_all_shards_move_the_ranker_together(at_once: Shards) -> None:
    weights = [copy.full.ranker.choices[1].weights for copy in at_once.copies]
    alone = [copy.full.ranker.choices[1].weights for copy in learned(NEVER).copies]
    assert np.abs(weights[0] - weights[1]).max() < np.abs(alone[0] - alone[1]).max()


def test_what_is_late_is_not_learned_yet() -> None:
    late = learned(Lag(1e9, 0))
    assert all(copy.full.model == 0 for copy in late.copies)
    assert sum(sum(copy.full.learned) for copy in late.copies) == EVENTS


def test_shards_that_share_nothing_train_networks_of_their_own() -> None:
    alone = learned(NEVER)
    assert all(copy.full.model > 0 for copy in alone.copies)
    assert sum(sum(copy.full.learned) for copy in alone.copies) == EVENTS
