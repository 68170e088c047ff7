"""Show what transfer does for one user: the lists with it and without it, and the reasons."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from consumers.report.example import Example, Suggested
from consumers.terminal.reasons import ALIKE, OTHERS, PAST, speaking_for
from models.arms.arm_comparison import ArmComparison
from models.arms.explanation import PastItem, past_items
from models.ranking.recommendation import Recommendation
from serving.contract import ListedItem

LOOK_SECONDS, CHOOSE_SECONDS = 1.0, 10.0
"""How often the lists are made again, and how often the user is chosen again."""
USERS = 300
"""The most users to choose from: those who were seen last."""
SHOWN, COMPARED = 3, 10
"""Items shown of each list, and the length of the lists that are compared."""
OWN = ("text_own", "text_nearest", "co_visitation", "co_visitation_30d")
"""Signals that compare an item with items of its own domain."""
TRIED = 5
"""Users who are tried one after another until one has a list in the store."""
ENOUGH = 3
"""Events that a user must have in a source."""


class _Lists(NamedTuple):
    """Both lists of a user."""

    user: str
    full: list[Recommendation]
    alone: list[Recommendation]


class Shown(NamedTuple):
    """What is shown. did: what users do with items, in the past tense. read: returns a user's list in the store."""

    target: str
    did: str
    read: Callable[[str], list[ListedItem]]


class Showcase:
    """Chooses the user for whom transfer changes most, and keeps `example` up to date. The loop's thread calls `look`.

    The list with transfer is the one in the store, which the user gets.
    """

    def __init__(
        self, arms: ArmComparison, shown: Shown, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.example: Example | None = None
        self._arms, self._shown, self._clock = arms, shown, clock
        self._target = shown.target
        self._user: str | None = None
        self._looked = self._chosen = clock() - CHOOSE_SECONDS

    def look(self, now: bool = False) -> None:
        """Make the lists again if it is time, or if `now`; then a user is chosen too."""
        at = self._clock()
        if not now and at - self._looked < LOOK_SECONDS:
            return
        users = [self._user] if self._user is not None and self._user in self._arms.full.users else []
        if now or not users or at - self._chosen >= CHOOSE_SECONDS:
            users, self._chosen = self._most_changed(), at
        found = next((one for one in map(self._example, users) if one is not None), None)
        self._user, self.example = None if found is None else found.user, found
        self._looked = self._clock()

    def _most_changed(self) -> list[str]:
        """Return the users whose lists differ most, the first most; among equals those who are newest to the target."""
        full = self._arms.full
        counts = {user: full.events_of(user) for user in full.users.ids()[-USERS:]}
        known = [
            user for user, of in counts.items() if max(self._of_sources(of).values(), default=0) >= ENOUGH
        ]

        def rank(lists: _Lists) -> tuple[bool, int, int, int]:
            of = counts[lists.user]
            served = self._arms.serving(lists.user, self._target).arm == "full"
            return served, _difference(lists), -of[self._target], sum(self._of_sources(of).values())

        return [lists.user for lists in sorted(self._lists(known), key=rank, reverse=True)[:TRIED]]

    def _of_sources(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: n for name, n in counts.items() if name != self._target}

    def _lists(self, users: list[str]) -> list[_Lists]:
        full = self._arms.full
        both = [
            full.recommend(users, self._target, COMPARED, target_only=target_only)
            for target_only in (False, True)
        ]
        return list(map(_Lists, users, *both))

    def _example(self, user: str) -> Example | None:
        full, domain = self._arms.full, self._arms.full.index[self._target]
        alone = full.recommend([user], self._target, SHOWN, target_only=True)[0]
        listed = [
            (row, item)
            for item in self._shown.read(user)[:SHOWN]
            if (row := full.catalogues[domain].ids.get(item.id)) is not None
        ]
        lister, place = full.lister(domain), full.users.get(user)
        others = [lister.one(place, line.row) for line in alone]
        if not others or not listed:
            return None
        usual = {
            name: sum(float(other.contributions[0][n]) for other in others) / len(others)
            for n, name in enumerate(others[0].names)
        }
        pasts = [past_items(full, place, domain, row) for row, _ in listed]
        source, had = self._had(pasts)
        titles = full.catalogues[domain].title_of
        suggested = [
            Suggested(titles[row] or item.id, _because(item.why or {}, usual, past, self._target))
            for (row, item), past in zip(listed, pasts, strict=True)
        ]
        return Example(
            user, self._shown.did, source, had, self._target, full.events_of(user)[self._target], suggested,
            [line.title or line.item_id for line in alone],
            self._arms.serving(user, self._target).arm == "full",
        ) if had else None  # fmt: skip

    def _had(self, pasts: list[list[PastItem]]) -> tuple[str, list[str]]:
        """Return the source whose items led to the list, and the titles of those that led to it most."""
        weights: dict[str, Counter[str]] = {}
        for past in pasts:
            for item in past:
                if item.domain != self._target:
                    held = weights.setdefault(item.domain, Counter())
                    held[item.title or item.item_id] += item.together + max(item.similarity, 0.0)  # type: ignore[assignment]
        if not weights:
            return "", []
        source = max(weights, key=lambda name: weights[name].total())
        return source, [title for title, _ in weights[source].most_common(SHOWN)]


def _difference(lists: _Lists) -> int:
    """Count what is new on either list's first places, more for a higher place."""
    ids = [[line.item_id for line in one] for one in (lists.full, lists.alone)]
    return sum(
        SHOWN - place
        for here, there in (ids, ids[::-1])
        for place, item in enumerate(here[:SHOWN])
        if item not in there
    )


def _because(why: Mapping[str, float], usual: Mapping[str, float], past: list[PastItem], target: str) -> str:
    """Say the first reason that can be said: one that speaks for the item, more than for what others would get."""
    for signal in speaking_for(why, usual):
        if signal in OTHERS:
            return OTHERS[signal]
        own = [item for item in past if item.domain == target]
        of_sources = [item for item in past if item.domain != target]
        # What a source has to say is what transfer brings; a signal of the target alone knows nothing of it.
        for some in [own] if signal in OWN else [of_sources, own]:
            if said := _of_past(PAST[signal], some, target):
                return said
    return ""


def _of_past(said: str, past: list[PastItem], target: str) -> str:
    """Complete a reason with the past item that bears it out; "" without one."""

    def bears(item: PastItem) -> float:
        return item.similarity if said == ALIKE else item.together

    best = max(past, key=bears, default=None)
    if best is None or bears(best) <= 0:
        return ""
    where = "" if best.domain == target else f" ({best.domain})"
    return f"{said} “{best.title or best.item_id}”{where}"
