"""Co-visit counts agree with a plain model, decay, and keep bounded lists while rows are reused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import DTypeLike

from models.signals import covisitation as module
from models.signals.covisitation import DAY, FADE, KINDS, WINDOW, CoVisitation
from tests.support.learners.states import differences
from tests.support.plain.covisitation import PlainVisits


def visit(
    visits: CoVisitation, item: tuple[int, int], latest: list[tuple[int, int]], time: float = 0.0
) -> None:
    domains = np.array([d for d, _ in latest], np.int8)
    visits.add(item[0], item[1], domains, np.array([r for _, r in latest], np.int32), time)


def counts(
    visits: CoVisitation, item: tuple[int, int], domain: int, time: float = 0.0
) -> dict[int, list[float]]:
    """Return {neighbour row: counts by kind} of one item."""
    slots = visits.slots(item[0], np.array([item[1]]))
    _, rows, weights = visits.neighbours(domain, slots, np.ones(1000, np.bool_))
    return {int(r): (w / visits.growth(time)).tolist() for r, w in zip(rows, weights, strict=True)}


def test_counts_by_hand() -> None:
    """After items 0 and 1 of domain 0, and 5 of domain 1, both earlier items are neighbours with the right weights."""
    visits = CoVisitation(2)
    visit(visits, (0, 0), [])
    visit(visits, (0, 1), [(0, 0)])
    visit(visits, (1, 5), [(0, 0), (0, 1)])
    after = dict(zip(KINDS, counts(visits, (0, 0), 1)[5], strict=True))
    assert after["with"] == after["with_30d"] == 1
    assert after["next"] == pytest.approx(FADE)
    assert after["previous"] == 0
    before = {row: dict(zip(KINDS, c, strict=True)) for row, c in counts(visits, (1, 5), 0).items()}
    assert before[1]["previous"] == 1
    assert before[0]["previous"] == pytest.approx(FADE)
    assert before[0]["next"] == 0
    assert counts(visits, (0, 0), 0)[1][0] == 1


def test_decaying_counts_halve() -> None:
    visits = CoVisitation(1)
    visit(visits, (0, 0), [])
    visit(visits, (0, 1), [(0, 0)])
    now = dict(zip(KINDS, counts(visits, (0, 0), 0, 30 * DAY)[1], strict=True))
    assert now["next"] == 1
    assert now["with_30d"] == pytest.approx(0.5)
    assert now["next_60d"] == pytest.approx(0.5**0.5)


def test_growth_is_taken_back_in_time() -> None:
    """After twenty years of events weights are finite, and counts follow the half-life."""
    visits = CoVisitation(1)
    visit(visits, (0, 0), [])
    for day in range(0, 7300, 30):
        visit(visits, (0, 1), [(0, 0)], day * DAY)
    now = dict(zip(KINDS, counts(visits, (0, 0), 0, 7290 * DAY)[1], strict=True))
    assert now["with_30d"] == pytest.approx(2, rel=1e-3)
    assert now["with"] == pytest.approx(244)
    assert np.isfinite(visits.lists.weights).all()


@pytest.mark.parametrize("sizes", [(8,), (8, 16), (8, 16, 24)])
def test_a_full_list_gives_its_weakest_neighbour_away(sizes: tuple[int, ...]) -> None:
    """In a list of neighbours that were met twice, the one that was met once gives its place to a new one."""
    visits, most = CoVisitation(1, sizes), sizes[-1]
    visit(visits, (0, 0), [])
    for row in [*range(1, most + 1), *(r for r in range(1, most + 1) if r != 3)]:
        visit(visits, (0, row), [(0, 0)])
    assert set(counts(visits, (0, 0), 0)) == set(range(1, most + 1))
    visit(visits, (0, 99), [(0, 0)])
    assert set(counts(visits, (0, 0), 0)) == set(range(1, most + 1)) - {3} | {99}


def play_both(seed: int, batch: int, items: int, days: float, kind: DTypeLike) -> int:
    """Compare batches of a random stream with the plain model; return how many lists are full at the end.

    Items met twice, items without a slot, the item itself. days: between two events.
    """
    random, most, start = np.random.default_rng(seed), 16, 1e9
    visits, plain = CoVisitation(1, (8, most)), PlainVisits(most, start, kind)
    visits.start, time = start, start
    for row in range(items):
        visits.claim(0, row)
    for _ in range(0, 400, batch):
        slots = random.zipf(1.4, batch) % items
        latest = (random.zipf(1.2, (batch, WINDOW + 5)) % (items + 1) - 1).astype(np.int32)
        lengths = random.integers(0, WINDOW + 6, batch)
        times = time + np.cumsum(random.exponential(days * DAY, batch))
        visits.fold(slots, latest, lengths, times)
        for slot, row, length, at in zip(
            slots.tolist(), latest, lengths.tolist(), times.tolist(), strict=True
        ):
            plain.visit(slot, row[:length].tolist(), at)
        time = float(times[-1])
    full = 0
    for slot in range(items):
        found, wanted = counts(visits, (0, slot), 0, time), plain.counts(slot, time)
        assert found.keys() == wanted.keys()
        full += len(found) == most
        for other, values in wanted.items():
            np.testing.assert_allclose(found[other], values, rtol=1e-3, atol=1e-6)
    return full


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch", [1, 5])
def test_folded_batches_are_what_the_plain_model_holds(seed: int, batch: int) -> None:
    """Batches equal the plain model, also with full lists, which replace the weakest neighbour."""
    assert play_both(seed, batch, 60, 3.0, np.float32) > 3


@pytest.mark.parametrize("batch", [1, 5])
def test_batches_of_many_years_are_what_the_plain_model_holds(batch: int) -> None:
    """Batches equal the plain model while the growth is rescaled again and again."""
    assert play_both(0, batch, 12, 60.0, np.float64) == 0


def test_dropped_rows_are_forgotten_and_slots_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When items come and go, the arrays stay small, and no old count reaches a new item."""
    monkeypatch.setattr(module, "SWEEP", 4)
    visits = CoVisitation(1)
    visit(visits, (0, 0), [])
    for _ in range(50):
        visit(visits, (0, 1), [(0, 0)])
        assert set(counts(visits, (0, 0), 0)) == {1}
        visits.drop(0, 1)
        assert not counts(visits, (0, 0), 0)
        assert not counts(visits, (0, 1), 0)
        visit(visits, (0, 1), [])
        assert not counts(visits, (0, 0), 0)
        visits.drop(0, 1)
    assert visits.used < 12


def test_state_round_trips() -> None:
    random = np.random.default_rng(0)

    def play(visits: CoVisitation, events: int) -> None:
        for _ in range(events):
            latest = [(int(random.integers(2)), int(random.integers(30))) for _ in range(5)]
            visit(
                visits,
                (int(random.integers(2)), int(random.integers(30))),
                latest,
                float(random.integers(10**8)),
            )

    one, two = CoVisitation(2), CoVisitation(2)
    play(one, 200)
    one.drop(0, 3)
    two.load(one.state())
    for visits in (one, two):
        random = np.random.default_rng(7)
        play(visits, 200)
    assert differences(one.state(), two.state()) == []
