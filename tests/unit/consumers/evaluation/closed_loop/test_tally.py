"""Figures of a closed loop, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.evaluation.closed_loop.figures import world_figures
from consumers.evaluation.closed_loop.tally import NEVER, Outcome, Tally, outcome
from consumers.simulator.closed_loop.records import Look
from consumers.simulator.closed_loop.world import World


def made() -> World:
    return World.make("mute", 1, users=5, items=40, before=100, impressions=500)


def look(time: int, domain: int, rows: list[int], clicked: list[bool]) -> Look:
    return Look(time, 0, domain, np.array(rows), np.array(clicked), 0, 0)


def test_shows_and_clicks_are_counted_by_item() -> None:
    """A new item is known at its 20th show; clicks count until the cap, which is a fifth of a short run."""
    world = made()
    counts = Tally(world)
    assert counts.cap == 100
    born = world.items[1].born
    new = int(np.flatnonzero(born >= 100)[0])
    for n in range(25):
        counts.after(look(int(born[new]) + n, 1, [0, new], [False, n < 3]))
    counts.after(look(int(born[new]) + 100, 1, [new], [True]))
    assert counts.shows[1, new] == 26
    assert counts.known_at[1, new] == born[new] + 19
    assert counts.early_clicks[1, new] == 3
    assert counts.known_at[1, 1] == NEVER
    assert counts.clicks.sum() == 4
    assert counts.clicks[born[new] - 100] == 1


def test_regret_is_what_the_best_list_would_have_had_more() -> None:
    """It is 0 for the best list, the whole expectation for an empty one, and between them for another."""
    world = made()
    counts = Tally(world)
    there = np.flatnonzero(world.arrived(2, 100))
    order = there[np.argsort(-world.attraction(3, 2, there, 100))]
    best = world.best_clicks(3, 2, 100)
    for time, rows in enumerate((order[:10], order[:0], order[5:15]), 100):
        counts.before(time, 3, 2, rows)
    assert counts.regret[:2] == pytest.approx([0, best])
    assert 0 < counts.regret[2] < best


def test_new_items_are_those_that_the_run_has_followed_until_the_cap() -> None:
    """Without any show all wait for the whole cap. The best quarter is that of their appeal."""
    world = made()
    counts = Tally(world)
    assert outcome(world, counts) == Outcome(0, 0, 0, 0, 100.0, 0.0)
    born = np.concatenate([items.born for items in world.items])
    appeal = np.concatenate([items.appeal for items in world.items])
    followed = (born >= 100) & (born <= 500)
    best = followed & (appeal >= np.quantile(appeal[followed], 0.75))
    counts.early_clicks[:] = np.where(best, 20, 0).reshape(3, 40)
    assert outcome(world, counts).good == 1
    counts.early_clicks[:] = np.where(best, 19, 20).reshape(3, 40)
    assert outcome(world, counts).good == 0


def test_figures_compare_each_policy_with_the_greedy_one() -> None:
    """Two seeds by hand: the greedy policy lacks 40 and 20 clicks, the exploring one 10 and 10."""
    seeds = [
        {
            "greedy": Outcome(60, 100, 10, 0.9, 500, 0.1),
            "explore": Outcome(90, 80, 15, 0.8, 100, 0.3),
            "informed": Outcome(100, 50, 20, 0.7, 300, 0.4),
        },
        {
            "greedy": Outcome(80, 100, 10, 0.9, 500, 0.0),
            "explore": Outcome(90, 90, 13, 0.7, 300, 0.3),
            "informed": Outcome(100, 50, 20, 0.7, 300, 0.4),
        },
    ]
    figures = world_figures(seeds)  # type: ignore[arg-type]
    explore = figures["explore"]
    assert explore["shortfall"]["mean"] == 10
    compared = {name: held["mean"] for name, held in explore["to_greedy"].items()}
    assert compared == pytest.approx(
        {
            "shortfall": (0.25 + 0.5) / 2,
            "regret": 0.85,
            "clicks": (1.5 + 1.125) / 2,
            "last_fifth": 1.4,
            "gini_less": 0.15,
            "shows_20": 0.4,
            "good": 3.0,  # the second seed has nothing to compare with
        }
    )
    assert explore["to_greedy"]["good"]["seeds"][1] is None
    assert figures["greedy"]["to_greedy"]["shortfall"]["mean"] == 1
    assert figures["informed"]["to_greedy"]["shortfall"]["mean"] == 0
    assert explore["to_greedy"]["regret"]["sd"] == pytest.approx(0.1 / np.sqrt(2))
