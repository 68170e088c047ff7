"""Rescale states of the arms in tests, and read what a shard knows of a user by public ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from consumers.sharing.layout import partition_of
from models.arms.arm_comparison import ArmComparison
from models.migration.reshard import Plan, reshard
from models.schema import Domain
from tests.support.learners.moved_arms import made, saved

PARTITIONS = 16


def owner_among(count: int) -> Any:
    """Return what deals users out by partition."""
    return lambda _shard, user: partition_of(user, PARTITIONS) % count


def rescaled(
    shards: Sequence[ArmComparison], domains: list[Domain], count: int, base: int = 0
) -> list[ArmComparison]:
    """Return the arms of `count` shards that have taken up what these shards have learned, by way of a checkpoint."""
    plan = Plan(owner_among(count), count, base)
    out = []
    for state in reshard([saved(one) for one in shards], made(domains).full, plan).states:
        one = made(domains)
        notes = one.load(state)
        assert [note for note in notes if "they stay" not in note] == []
        out.append(one)
    return out


class KnownUser(NamedTuple):
    """What a shard knows of one user. recent: domain, item id and time. terms: predicted ratings of some items."""

    events: dict[str, int]
    recent: list[tuple[int, str, float]]
    had: dict[str, list[str]]
    terms: dict[str, list[float]]
    slopes: dict[str, list[float]]
    lists: dict[str, list[tuple[str, float]]]


def user(arms: ArmComparison, name: str, items: int = 45) -> KnownUser:
    """Return what the shard knows of the user."""
    full = arms.full
    row = full.users.get(name)
    assert row is not None
    recent = full.history.recent(row)
    had, lists = dict[str, list[str]](), dict[str, list[tuple[str, float]]]()
    terms, slopes = dict[str, list[float]](), dict[str, list[float]]()
    for number, domain in enumerate(full.domains):
        ids = [f"{domain.name[0]}{n}" for n in range(items)]
        had[domain.name] = [item for item in ids if full.history.has_seen(row, number, item)]
        terms[domain.name] = [full.rating_now(number, name, item).total for item in ids[:12]]
        choices = [full.ranker.choices[number]]
        if number in full.ranker.target_only:
            choices.append(full.ranker.target_only[number])
        slopes[domain.name] = np.concatenate([choice.users.of(row).ravel() for choice in choices]).tolist()
        lines = arms.recommend([name], domain.name, 10)[0]
        lists[domain.name] = [(line.item_id, line.score) for line in lines]
    where = [
        (int(d), full.catalogues[d].id_of[r], float(t))
        for d, r, t in zip(recent.domain, recent.row, recent.time, strict=True)
    ]
    return KnownUser(full.events_of(name), where, had, terms, slopes, lists)


def everybody(shards: Sequence[ArmComparison]) -> dict[str, KnownUser]:
    """Return what the shards know of their users. A user may be in one shard only."""
    found: dict[str, KnownUser] = {}
    for arms in shards:
        for name in arms.full.users:
            assert name not in found, f"{name} is in two shards"
            found[name] = user(arms, name)
    return found
