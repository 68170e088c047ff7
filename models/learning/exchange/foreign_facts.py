"""Let items and all shared tables learn events whose users another learner has, from the facts that it shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.learning.event_clock import EventClock
from models.learning.pending_batch import Pending
from models.learning.resident_rows import ResidentRows
from models.rating.events import RatedBatch
from models.sharing.shared_facts import RECENT, SharedFacts
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, Recalled

if TYPE_CHECKING:
    from models.learning.event_scorer import Models

Floats = NDArray[np.float64]
NOBODY = -1


class Folded(NamedTuple):
    """The parts of a learner that facts teach. learned: (domains,) the number of events learned."""

    catalogues: Sequence[Catalogue]
    rows: ResidentRows
    clock: EventClock
    models: Models
    learned: NDArray[np.int64]


class Located(NamedTuple):
    """A batch of facts by the rows of a learner. pending: its events as a network can learn them; their user is -1."""

    shared: SharedFacts
    done: Done
    recalled: Recalled
    pending: Pending


def fold(parts: Folded, located: Located) -> None:
    """Let items and all shared tables learn a batch of facts in their order, without their users."""
    if located.shared.size:
        domain = located.done.domain
        places = [np.flatnonzero(domain == d) for d in range(len(parts.catalogues))]
        _statistics(parts, located.done, places, located.recalled)
        _ratings(parts, located.shared, located.done)


def locate(
    parts: Folded, index: Mapping[str, int], shared: SharedFacts, set_back: Callable[[], None]
) -> Located:
    """Give rows to the items of a batch of facts, move the clocks to its times, and count its events.

    Facts of domains that `index` (name to domain) lacks are left out. set_back: see `EventClock.move_all`.
    """
    shared, recent = _of_domains(shared, index), parts.models.network.config.recent
    numbers = np.array([index[name] for name in shared.domains], np.int64)
    domain = numbers[shared.domain]
    items = _rows(parts, shared, numbers)
    time = parts.clock.move_all(domain, shared.time / 1000.0, set_back)
    item = _joined(shared.domain, shared.item, items)
    done = Done(domain, np.full(len(domain), NOBODY), item, time)
    recalled = _recalled(shared, numbers, items, time)
    residual = np.full(shared.size, np.nan)
    residual[shared.rated.event] = shared.rated.residual
    parts.learned[:] += np.bincount(domain, minlength=len(parts.catalogues))
    pending = Pending(domain, done.user, item, residual, time, recalled.context(recent))
    return Located(shared, done, recalled, pending)


def _of_domains(shared: SharedFacts, index: Mapping[str, int]) -> SharedFacts:
    """Return the facts without the events and items of domains that the config lacks."""
    if all(name in index for name in shared.domains):
        return shared
    kept = [n for n, name in enumerate(shared.domains) if name in index]
    renumbered = np.full(len(shared.domains), -1, np.int8)
    renumbered[kept] = np.arange(len(kept))
    some = shared.take(np.flatnonzero(renumbered[shared.domain] >= 0))
    latest = some.latest._replace(domain=renumbered[some.latest.domain])
    names, ids = [shared.domains[n] for n in kept], [shared.ids[n] for n in kept]
    return some._replace(domains=names, ids=ids, domain=renumbered[some.domain], latest=latest)


def _rows(parts: Folded, shared: SharedFacts, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Give a row to each item that was chosen; return the rows of all items by domain of the facts, -1 for none."""
    found = list[NDArray[np.int64]]()
    statistics = parts.models.ranker.statistics
    for n, (number, ids) in enumerate(zip(numbers.tolist(), shared.ids, strict=True)):
        table = parts.catalogues[number].ids
        chosen = [ids[at] for at in shared.item[shared.domain == n].tolist()]
        if not table.see_all(chosen):
            for item in chosen:
                if table.seen(item) is None:
                    parts.rows.item(number, item)
        # After all rows were given out: an item may have lost its row to another.
        found.append(np.fromiter(table.rows_of(ids), np.int64, len(ids)))
        statistics.reserve(number, table.high_water)
    return found


def _joined(
    domain: NDArray[np.int8], item: NDArray[np.uint32], items: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return the rows of items of several domains, (n,), -1 for an item without a row."""
    rows = np.full(len(item), -1, np.int64)
    for n, held in enumerate(items):
        here = domain == n
        rows[here] = held[item[here]]
    return rows


def _recalled(
    shared: SharedFacts, numbers: NDArray[np.int64], items: list[NDArray[np.int64]], time: Floats
) -> Recalled:
    """Return what the users did before, as `History.recall` does. An item without a row here has the domain -1."""
    latest, count = shared.latest, shared.latest.lengths.astype(np.int64)
    shape = (len(count), RECENT)
    there = np.arange(RECENT) < count[:, None]
    rows = _joined(latest.domain, latest.item, items)
    domains, row, times = np.full(shape, -1, np.int8), np.zeros(shape, np.int32), np.zeros(shape)
    domains[there] = np.where(rows < 0, -1, numbers[latest.domain])
    row[there] = np.maximum(rows, 0)
    times[there] = -np.expm1(latest.age.astype(np.float64))
    times[:, 0] += time
    times[:, 1:] += times[:, :1]
    return Recalled(domains, row, times, count, shared.events.astype(np.int64), np.zeros(shape, np.int8))


def _statistics(parts: Folded, done: Done, places: list[NDArray[np.int64]], recalled: Recalled) -> None:
    statistics = parts.models.ranker.statistics
    slots = statistics.claim(done)
    recent = np.full(recalled.row.shape, -1, np.int32)
    counts = np.empty(recalled.row.shape, np.float32)
    for domain in range(len(parts.catalogues)):
        statistics.describe_recent(domain, recalled, counts, recent)
    statistics.fold(done, places, slots, recent, recalled)


def _ratings(parts: Folded, shared: SharedFacts, done: Done) -> None:
    """Let the rating models learn."""
    rated = shared.rated
    if not len(rated.event):
        return
    event = rated.event.astype(np.int64)
    domain, item = done.domain[event], done.item[event]
    vectors = np.empty((len(event), parts.catalogues[0].dim), np.float32)
    for d, catalogue in enumerate(parts.catalogues):
        here = domain == d
        vectors[here] = catalogue.vectors[item[here]]
    contexts = [shared.context.get(n, ()) for n in event.tolist()]
    nobody, external = np.full(len(event), NOBODY), rated.external.astype(np.float64)
    value = (
        rated.value.copy()
    )  # unpacked columns are read-only, for which kernels would be compiled once more
    batch = RatedBatch(domain, nobody, item, vectors, value, external, done.time[event], contexts)
    full, target_only = (
        np.concatenate([rated.lesson[:, n], rated.taste[:, n]], 1).astype(np.float64) for n in range(2)
    )
    parts.models.rating.fold_batch(batch, full)
    for target, model in parts.models.target_only.items():
        here = np.flatnonzero(domain == target)
        if len(here):
            model.fold_batch(batch.of_one_domain(here), target_only[here])
