"""Join the facts of several micro-batches into one, because a batch costs as much to fold as several events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.sharing.shared_facts import Latest, Rated, SharedFacts

MOST = 256
"""The most events of a joined batch."""


def batches(facts: Iterable[SharedFacts], most: int = MOST) -> Iterator[SharedFacts]:
    """Yield the facts, in their order, in batches of at most `most` events that are as large as may be.

    Facts of shards that name their domains differently, as during a change of the config, stay apart.
    """
    waiting, count = list[SharedFacts](), 0
    for one in (part for whole in facts for part in whole.parts(most)):
        if waiting and (count + one.size > most or one.domains != waiting[0].domains):
            yield joined(waiting)
            waiting, count = [], 0
        if one.size:
            waiting.append(one)
            count += one.size
    if waiting:
        yield joined(waiting)


def joined(facts: Sequence[SharedFacts]) -> SharedFacts:
    """Return the facts as one batch, in their order. All name the same domains. An id may then have two numbers."""
    if len(facts) == 1:
        return facts[0]
    first = facts[0]
    sources = list(dict.fromkeys(source for one in facts for source in one.sources))
    number = {source: n for n, source in enumerate(sources)}
    source, item = list[NDArray[np.uint16]](), list[NDArray[np.uint32]]()
    latest_item, event = list[NDArray[np.uint32]](), list[NDArray[np.uint32]]()
    ids: list[list[str]] = [[] for _ in first.domains]
    context, before = dict[int, tuple[str, ...]](), 0
    for one in facts:
        numbers = np.array([number[pair] for pair in one.sources], np.uint16)
        source.append(numbers[one.source])
        shift = np.array([len(held) for held in ids], np.uint32)
        item.append(one.item + shift[one.domain])
        latest_item.append(one.latest.item + shift[one.latest.domain])
        event.append(one.rated.event + np.uint32(before))
        for held, more in zip(ids, one.ids, strict=True):
            held.extend(more)
        context |= {n + before: names for n, names in one.context.items()}
        before += one.size
    latest = _columns([one.latest for one in facts])
    rated = _columns([one.rated for one in facts])
    plain: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in facts]) for name in _PLAIN}
    return SharedFacts(
        sources=sources, source=np.concatenate(source), domains=first.domains, ids=ids, item=np.concatenate(item),
        latest=Latest(*latest)._replace(item=np.concatenate(latest_item)),
        rated=Rated(*rated)._replace(event=np.concatenate(event)), context=context, **plain,
    )  # fmt: skip


_PLAIN = ("offset", "domain", "time", "events", "losses", "rank")


def _columns(parts: Sequence[Latest] | Sequence[Rated]) -> list[NDArray[Any]]:
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
