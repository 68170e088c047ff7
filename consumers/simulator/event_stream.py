"""Yield a simulated world's items and events as contract records, and its truth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import isnan
from typing import Any

import msgspec
import numpy as np

from consumers.datasets.record import Sent
from consumers.simulator.scenarios.registry import SCENARIOS
from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import title_and_text, topic_name
from consumers.simulator.world import Ints, World
from consumers.simulator.world_settings import STORIES, WorldSettings


def user_id(person: int) -> str:
    return f"u{person:06d}"


def item_id(domain: str, row: int) -> str:
    return f"{domain}-{row:05d}"


def _words_of(settings: WorldSettings) -> Scenario | None:
    """Return the scenario that gives the words; None for those of the default world. Raises ValueError."""
    if settings.words == STORIES:
        return None
    if (found := SCENARIOS.get(settings.words)) is None:
        raise ValueError(f"words {settings.words!r}: choose from {', '.join((STORIES, *SCENARIOS))}")
    if without := [spec.name for spec in settings.domains if spec.name not in found.words.titles]:
        raise ValueError(f"words {found.name!r} have no titles for {', '.join(without)}")
    if 2 * settings.dim > len(found.words.themes):
        raise ValueError(f"dim must be at most {len(found.words.themes) // 2} with the words {found.name!r}")
    return found


class Simulator:
    """Yields what happens in a `World` as contract records: `items()`, then `events()`; `records()` yields both.

    Equal settings give equal records, except for timestamps with `start_ms=None`. Memory does not grow with the number
    of events. Each call starts from the beginning.
    """

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self._scenario = _words_of(settings)
        self.world = World(settings)

    def records(self) -> Iterator[Sent]:
        yield from self.items()
        yield from self.events()

    def items(self) -> Iterator[Sent]:
        """Yield the items that are there from the beginning."""
        for number in range(len(self.world.domains)):
            born = self.world.domains[number].born
            for row, record in enumerate(self._items(number)):
                if born is None or born[row] <= 0:
                    yield record

    def _items(self, number: int) -> Iterator[Sent]:
        """Yield all items of a domain, by row."""
        domain = self.world.domains[number]
        rng, name = np.random.default_rng([self.settings.seed, 2, number]), domain.spec.name
        topics = domain.topics.tolist()
        if self._scenario is not None:
            words = self._scenario.words.titled(name, topics, rng)
        else:
            words = (title_and_text(pair, rng) for pair in topics)
        for row, (title, text) in enumerate(words):
            key = item_id(name, row)
            fields: dict[str, Any] = {"item_id": key, "title": title, "text": text}
            if self._scenario is None:
                fields["tags"] = [topic_name(topic) for topic in topics[row]]
            value = msgspec.json.encode(fields)
            yield Sent("items", name, key.encode(), value)

    def _later_items(self) -> list[tuple[float, Sent]]:
        """Return the items that appear during the stream with the event index of each, the last first."""
        found = []
        for number, domain in enumerate(self.world.domains):
            if domain.born is not None:
                pairs = zip(domain.born.tolist(), self._items(number), strict=True)
                found += [(born, record) for born, record in pairs if born > 0]
        return sorted(found, key=lambda pair: -pair[0])

    def events(self) -> Iterator[Sent]:
        """Yield all interactions, in order of their timestamps. An item that appears comes before its events."""
        domains = self.world.domains
        names = [d.spec.name for d in domains]
        users = [[user_id(p) for p in d.people.tolist()] for d in domains]
        start, spacing = self.settings.start_ms, self.settings.spacing_ms
        later = self._later_items()
        # Events of two seeds, or of two runs that begin at different times, have different ids.
        index, prefix = 0, f"e{self.settings.seed}-" + ("" if start is None else f"{start:x}-")
        for draw in self.world.draws():
            for d, u, i, rating in zip(*(column.tolist() for column in draw), strict=True):
                while later and later[-1][0] <= index:
                    yield later.pop()[1]
                domain, user = names[d], users[d][u]
                at = int(time.time() * 1000) if start is None else start + int(index * spacing)
                # Writing JSON by hand is several times faster; the ids above need no escaping.
                what = '"click"' if isnan(rating) else f'"rating","value":{rating:.6g}'
                head = f'{{"type":{what},"user_id":"{user}","item_id":"{item_id(domain, i)}","timestamp":{at}'
                text = f'{head},"event_id":"{prefix}{index:09d}"}}' if self.settings.event_ids else head + "}"
                yield Sent("interactions", domain, user.encode(), text.encode(), at)
                index += 1

    def expected(self, domain: str, user: str, item: str, index: int) -> float:
        """Return `honest`, clipped to the rating range of the domain."""
        low, high = self.world.domains[self.world.number[domain]].spec.rating_range
        return float(np.clip(self.honest(domain, user, item, index), low, high))

    def honest(self, domain: str, user: str, item: str, index: int) -> float:
        """Return the mean rating at event `index` before noise, clipping, grid and poison.

        Raises KeyError for a user or item that this domain does not have.
        """
        return float(self.world.honest(domain, *self._rows(domain, user, item), index)[0])

    def given(self, domain: str, user: str, item: str, index: int) -> float:
        """Return the mean of the ratings that an honest user gives at event `index`, as `World.given` does.

        Raises KeyError as `honest` does.
        """
        return float(self.world.given(domain, *self._rows(domain, user, item), index)[0])

    def _rows(self, domain: str, user: str, item: str) -> tuple[Ints, Ints]:
        at = self.world.domains[self.world.number[domain]]
        who = np.flatnonzero(at.people == int(user.removeprefix("u")))
        row = int(item.rpartition("-")[2])
        if not len(who) or row >= at.spec.items:
            raise KeyError(f"{user} or {item} is not in {domain}")
        return who, np.array([row])

    def truth(self) -> dict[str, Any]:
        """Return the whole truth of this world, ready for JSON. Its `settings` alone rebuild the world."""
        real, last = self.world, self.settings.events
        domains: dict[str, Any] = {}
        for d in real.domains:
            name = d.spec.name
            domains[name] = {
                "bias_before": d.spec.mean,
                "bias_after": float(real.domain_mean(name, last)),
                "drift": [
                    {
                        "kind": x.kind,
                        "at": real.index_of(x.at),
                        "span": real.index_of(x.span),
                        "bias": x.bias,
                    }
                    for x in real.drifts(name)
                ],
                "users": [user_id(p) for p in d.people.tolist()],
                "items": {
                    item_id(name, row): {"bias": bias, "factors": factors}
                    for row, (bias, factors) in enumerate(
                        zip(d.bias.tolist(), d.factors.tolist(), strict=True)
                    )
                },
            }
        return {
            "settings": msgspec.json.decode(msgspec.json.encode(self.settings)),
            "noise_sd": self.settings.noise_sd,
            "domains": domains,
            "users": {
                user_id(p): {"bias": bias, "taste": taste}
                for p, (bias, taste) in enumerate(
                    zip(real.user_bias.tolist(), real.taste.tolist(), strict=True)
                )
            },
        }
