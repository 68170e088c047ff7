"""Exchange facts between learners that hold copies of the shared tables: give out own events, take in any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.arms.arm_comparison import ArmComparison, Losses
from models.learning.facts import NOT_RANKED, Facts
from models.learning.learner import Learner
from models.rating.batch import THETA
from models.schema import Interaction
from models.sharing.shared_facts import RECENT, Latest, Place, Rated, SharedFacts

NO_RANK, WORST = 255, 10
"""`SharedFacts.rank` of an item without a rank, and of all ranks that have the same loss."""


def outgoing(arms: ArmComparison, events: Sequence[Interaction], places: Sequence[Place]) -> SharedFacts:
    """Return the facts of the micro-batch that the arms have just learned, of at most `most_events`.

    places: where its events were read.
    """
    facts, losses = arms.latest, arms.losses
    assert facts is not None, "a batch was learned"
    assert losses is not None, "a batch was learned"
    assert len(facts) == len(events) == len(places), (
        "a batch that was learned in parts has no facts as a whole"
    )
    sources = list(dict.fromkeys((place.topic, place.partition) for place in places))
    number = {source: n for n, source in enumerate(sources)}
    source = [number[place.topic, place.partition] for place in places]
    item, latest, ids = _items(arms.full, facts)
    rank = np.where(losses.rank < 0, NO_RANK, np.minimum(losses.rank, WORST))
    return SharedFacts(
        sources, np.array(source, np.uint16), np.array([place.offset for place in places], np.int64),
        list(arms.full.index), ids, facts.done.domain.astype(np.int8), item,
        np.array([event.timestamp for event in events], np.int64), facts.recalled.events.astype(np.uint32),
        latest, _rated(facts), losses.rating.astype(np.float32), rank.astype(np.uint8),
        {n: event.context for n, event in enumerate(events) if event.context},
    )  # fmt: skip


def _items(learner: Learner, facts: Facts) -> tuple[NDArray[np.uint32], Latest, list[list[str]]]:
    """Return the events' items, the users' latest items, and by domain the ids that both name by number."""
    recalled, done = facts.recalled, facts.done
    n = np.minimum(recalled.n, RECENT)
    there = np.arange(RECENT) < n[:, None]
    domain, row = recalled.domain[:, :RECENT][there], recalled.row[:, :RECENT][there]
    times = recalled.time[:, :RECENT]
    after = np.repeat(times[:, :1], RECENT, 1)
    after[:, 0] = done.time
    passed = (after - times)[there]
    item, latest, ids = np.zeros(len(n), np.uint32), np.zeros(len(row), np.uint32), list[list[str]]()
    for d, (catalogue, places) in enumerate(zip(learner.catalogues, facts.places, strict=True)):
        here = domain == d
        rows, numbers = np.unique(np.concatenate([done.item[places], row[here]]), return_inverse=True)
        item[places], latest[here] = numbers[: len(places)], numbers[len(places) :]
        ids.append([catalogue.ids.id_of[at] for at in rows.tolist()])
    age = np.log1p(np.maximum(passed, 0.0)).astype(np.float16)
    return item, Latest(n.astype(np.uint8), domain, latest, age), ids


def _rated(facts: Facts) -> Rated:
    rated, lessons = facts.rated, facts.lessons
    assert lessons is not None, "the batch was learned"
    event = np.flatnonzero(~np.isnan(rated.value))
    both = np.stack([lessons.full[event], lessons.target_only[event]], 1)
    return Rated(
        event.astype(np.uint32), rated.value[event], rated.external[event].astype(np.float32),
        facts.residual[event].astype(np.float32), both[:, :, :THETA].astype(np.float32),
        both[:, :, THETA:].astype(np.float16),
    )  # fmt: skip


def judge(arms: ArmComparison, shared: SharedFacts) -> None:
    """Count the losses of all arms at these events, as `ArmComparison.learn` counts them without shards.

    Every shard does so for the facts of the log in their order, the own among them, so that all follow the same arm.
    Facts of domains that the config lacks are left out.
    """
    index = arms.full.index
    numbers = np.array([index.get(name, -1) for name in shared.domains], np.int64)
    domain = numbers[shared.domain]
    some = np.flatnonzero(domain >= 0)
    rank = shared.rank[some].astype(np.int64)
    rank[rank == NO_RANK] = NOT_RANKED
    losses = Losses(shared.losses[some].astype(np.float64), rank)
    arms.judge(domain[some], shared.events[some].astype(np.int64), losses)
