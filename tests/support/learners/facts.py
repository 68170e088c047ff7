"""Facts of events for tests, made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction
from models.settings import LearningSettings
from models.sharing.shared_facts import Latest, Place, Rated, SharedFacts

TASTE = 4


def facts_at(places: Sequence[Place]) -> SharedFacts:
    """Return clicks of new users on one item, read at these places."""
    count, sources = len(places), list(dict.fromkeys((topic, partition) for topic, partition, _ in places))
    source = [sources.index((topic, partition)) for topic, partition, _ in places]
    none = np.zeros(0)
    latest = Latest(
        np.zeros(count, np.uint8), none.astype(np.int8), none.astype(np.uint32), none.astype(np.float16)
    )
    rated = Rated(
        none.astype(np.uint32), none, none.astype(np.float32), none.astype(np.float32),
        np.zeros((0, 2, 2), np.float32), np.zeros((0, 2, TASTE), np.float16),
    )  # fmt: skip
    return SharedFacts(
        sources, np.array(source, np.uint16), np.array([place.offset for place in places], np.int64),
        ["movies"], [["m1"]], np.zeros(count, np.int8), np.zeros(count, np.uint32), np.zeros(count, np.int64),
        np.zeros(count, np.uint32), latest, rated, np.full((count, 4), np.nan, np.float32),
        np.full((count, 4), 255, np.uint8), {},
    )  # fmt: skip


def places_of(facts: SharedFacts) -> list[Place]:
    """Return the place of each event."""
    pairs = zip(facts.source.tolist(), facts.offset.tolist(), strict=True)
    return [Place(*facts.sources[source], offset) for source, offset in pairs]


def clicks(domain: str, numbers: range) -> SharedFacts:
    """Return clicks of new users, each on an item of its own (m<number>) and read at the offset of its number."""
    count, start = len(numbers), 1_700_000_000_000
    found = facts_at([Place(f"interactions.{domain}", 0, n) for n in numbers])
    return found._replace(
        domains=[domain],
        ids=[[f"m{n}" for n in numbers]],
        item=np.arange(count, dtype=np.uint32),
        time=start + np.array(numbers, np.int64),
    )


def learned_arms(events: Sequence[Interaction]) -> ArmComparison:
    """Return arms of one domain that have learned these events."""
    arms = ArmComparison([Domain("movies", "both")], LearningSettings(users=20, items_per_domain=100))
    arms.learn(events)
    return arms
