"""Make records of users, items, lists and domains from the present learners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from models.arms.arm_comparison import ArmComparison
from models.experiments.experiment import Experiment, ListSettings
from models.learning.items.item_neighbours import item_neighbours
from models.learning.items.item_views import item_views
from models.learning.shown.exploration import Candidates, policy_name
from models.learning.shown.list_maker import Wish
from models.ranking.recommendation import Recommendation
from serving.client.lists import DrawnFrom
from serving.contract import (
    RECORD_VERSION,
    SCHEMA,
    Keys,
    Listable,
    RecommendationList,
    Write,
    encode_vector,
    hash_write,
    list_write,
    to_listed_items,
)

RecordTimes = tuple[list[int], list[str]]
"""Kafka record times (ms) and domains of the events that a write makes readable."""


class ListOptions(NamedTuple):
    """Options for making lists; see `[publish]` of the config."""

    top: int = 50
    """Items on a list."""
    explain_top: int = 10
    """How many of them carry `why`."""
    ttl_seconds: int = 604_800
    """Seconds after which a list, and a user's record, expires."""
    within_seconds: float = 1.0
    """How long the list of a user who did something may wait before it is overdue."""
    refresh_seconds: float = 86_400.0
    """Seconds in which every list is made anew, also of a user who does nothing."""
    similar: int = 20
    """Neighbours of an item; 0 for none."""
    similar_seconds: float = 60.0
    """Least seconds between two times when an item's neighbours are found."""
    pool: bool = False
    """Whether a drawn list carries what it was drawn from."""


class RecordBuilder:
    """Turns ids into writes. It does not know what is due. Times are ms since the epoch."""

    def __init__(self, arms: ArmComparison, keys: Keys, lists: ListOptions, started_ts: int) -> None:
        self._arms, self._keys = arms, keys
        self._usual = ListSettings(lists.top, lists.explain_top, arms.full.list_settings)
        """How lists are made that are in no experiment."""
        self._ttl = lists.ttl_seconds
        self._similar = lists.similar
        self._pool = lists.pool
        self._experiments = {d: one for one in arms.full.experiments.experiments for d in one.domains}
        """By domain."""
        self._started_ts = started_ts

    def users(self, touched: Mapping[str, RecordTimes], now_ms: int) -> Iterable[Write]:
        """Yield the record of each user who has a row."""
        full = self._arms.full
        users = [u for u in touched if u in full.users]
        vectors = full.user_vectors(users) if users else ()
        shared = self._of_vectors() | {"published_ts": str(now_ms)}
        for user, vector in zip(users, vectors, strict=True):
            counts = {f"events:{name}": str(n) for name, n in full.events_of(user).items() if n}
            fields = {"vector": encode_vector(vector), **shared, **counts}
            times, domains = touched[user]
            write = hash_write(self._keys.user(user), fields, self._ttl)
            yield write._replace(record_times_ms=tuple(times), domains=tuple(domains))

    def items(self, touched: Iterable[tuple[str, str]]) -> Iterable[Write]:
        """Yield the record of each item (domain, id). An item that was removed loses its key."""
        by_domain: dict[str, list[str]] = {}
        for domain, item in touched:
            by_domain.setdefault(domain, []).append(item)
        shared = self._of_vectors()
        for domain, items in by_domain.items():
            views = item_views(self._arms.full, domain, items)
            for item, view in zip(items, views, strict=True):
                if view is None:  # removed: a late event must not bring its key back
                    yield Write(self._keys.item(domain, item), "delete", None)
                else:
                    fields = {
                        "vector": encode_vector(view.vector),
                        "title": view.title,
                        "tags": view.tags,
                        "bias": view.bias,
                        "popularity": view.popularity,
                        **shared,
                    }
                    yield hash_write(self._keys.item(domain, item), fields)

    def similar(self, domain: str, item: str, now_ms: int) -> tuple[list[int], Write]:
        """Return the rows of the item's neighbours, and their write."""
        found = item_neighbours(self._arms.full, domain, item, self._similar)
        record = self._record(domain, found, now_ms, self._similar)
        return [neighbour.row for neighbour in found], list_write(
            self._keys.similar(domain, item), record, None
        )

    def _of_vectors(self) -> dict[str, str]:
        """Return what every record with a vector holds."""
        return {"dim": str(self._arms.full.network.dim), "model": str(self._arms.full.model)}

    def lists(
        self, domain: str, users: Sequence[str], now_ms: int
    ) -> Iterable[tuple[str, list[Recommendation], Write]]:
        """Yield each user, what is on their list, and its write."""
        experiment = self._experiments.get(domain)
        if experiment is None:
            yield from self._lists(domain, users, now_ms)
            return
        of_arm: dict[str | None, list[str]] = {}
        for user in users:
            of_arm.setdefault(experiment.arm(user, domain, now_ms), []).append(user)
        for arm, some in of_arm.items():
            yield from self._lists(domain, some, now_ms, None if arm is None else (experiment, arm))

    def _lists(
        self, domain: str, users: Sequence[str], now_ms: int, made_by: tuple[Experiment, str] | None = None
    ) -> Iterable[tuple[str, list[Recommendation], Write]]:
        """Yield the lists of users who are in one arm of an experiment, or in none."""
        if not users:
            return
        made = self._usual if made_by is None else made_by[0].arms[made_by[1]]
        for user, (items, record) in zip(users, self._made(domain, users, now_ms, made), strict=True):
            if made_by is not None:
                record.experiment, record.arm = made_by[0].name, made_by[1]
            yield user, items, list_write(self._keys.recommendations(user, domain), record, self._ttl)

    def popular(self, domain: str, now_ms: int) -> Write:
        """Return the write of the list for users without their own list."""
        ((_, record),) = self._made(domain, [None], now_ms, self._usual)
        return list_write(self._keys.popular(domain), record, None)

    def _made(
        self, domain: str, users: Sequence[str | None], now_ms: int, made: ListSettings
    ) -> Iterable[tuple[list[Recommendation], RecommendationList]]:
        """Yield the items and the record of each user's list; drawn ones say by which policy, and how likely it was."""
        wish = Wish(made.top, draw=now_ms, ranker=made.ranker)
        for items, drawn_from in self._arms.lists(users, domain, wish, made.explain_top, made.made_by):
            record = self._record(domain, items, now_ms, made.explain_top)
            if made.ranker.explore > 0:
                record.policy, record.p = policy_name(made.ranker.explore), [item.p for item in items]
            if self._pool and drawn_from is not None:
                record.pool = self._drawn_from(domain, drawn_from)
            yield items, record

    def _drawn_from(self, domain: str, candidates: Candidates) -> DrawnFrom:
        id_of = self._arms.full.catalogues[self._arms.full.index[domain]].id_of
        ids = [id_of[row] for row in candidates.rows.tolist()]
        new = [item for item, one in zip(ids, candidates.new.tolist(), strict=True) if one]
        return DrawnFrom(ids, candidates.scores.tolist(), candidates.temperature, candidates.share, new)

    def _record(
        self, domain: str, items: Sequence[Listable], now_ms: int, explained: int
    ) -> RecommendationList:
        full = self._arms.full
        return RecommendationList(
            RECORD_VERSION,
            full.model,
            int(full.newest[full.index[domain]] * 1000),
            now_ms,
            to_listed_items(items, explained),
        )

    def domains(self, now_ms: int) -> Iterable[Write]:
        """Yield the record of every domain."""
        full = self._arms.full
        for domain in full.domains:
            fields: dict[str, str | int | float] = {
                "role": domain.role,
                "model": full.model,
                "published_ts": now_ms,
            }
            if domain.is_target:
                fields["strategy"] = full.network.strategy[full.index[domain.name]]
            yield hash_write(self._keys.domain(domain.name), fields | self._arms.report(domain.name))

    def meta(self, now_ms: int) -> Write:
        """Return the write of `cc:meta`."""
        meta = {
            "schema": SCHEMA,
            "dim": self._arms.full.network.dim,
            "model": self._arms.full.model,
            "started_ts": self._started_ts,
            "domains": ",".join(domain.name for domain in self._arms.full.domains if domain.recommend),
            "published_ts": now_ms,
        }
        return hash_write(self._keys.meta, meta)
