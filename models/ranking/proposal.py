"""Find the candidates of each question, weigh their columns, and learn the choices: the ranker's kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.ranking.candidates import (
    PROPOSING,
    ROOM,
    TOP_OF_EACH,
    Added,
    choose,
    close_seen,
    place_of,
    take_added,
    write_top,
)
from models.ranking.conditional_logit import Signals, gradient, part_rows, rank_of, score, step, weights_of
from models.signals.covisit_scores import LATEST, SUMS, sum_covisits
from models.signals.registry import KNOTS, LAYOUT, PLACES, fill
from models.signals.signal import Asked, Columns, Items, Scratch, Visits
from models.signals.text_affinity import OWN_LATEST
from models.tables.neighbour_lists import SIZES
from models.text.nearest import room_to_find

MET = 2 * LATEST * SIZES[-1]
"""The most co-visit sums that one question can have."""
LAST_EPOCH = 2**30 - 1 - 4096
"""The epoch after which working memory is made anew; stamps end before 2³⁰, with room for one more call."""
ARMS = FULL, TARGET_ONLY_ARM, TEXT_ARM, POPULARITY_ARM = range(4)
"""The arms that rank each event: columns of `Ranks.rank`."""
TEXT, POPULAR = PLACES["text"], PLACES["popularity_3d"]
TOP = 10


class Proposed(NamedTuple):
    """The candidates of n questions. values: (n, columns, room). rows: (n, room) items. sizes: (n,) their number."""

    values: NDArray[np.float32]
    rows: NDArray[np.int32]
    sizes: NDArray[np.int64]

    def part(self, places: slice) -> Proposed:
        """Return views of some of the questions."""
        return Proposed(self.values[places], self.rows[places], self.sizes[places])


class Weighing(NamedTuple):
    """The state of a `ConditionalLogit` as a kernel reads it. places: (signals,) the column of each signal.

    row_of: (users,) row + 1 in `slopes`, (rows, 2, signals), 0 for none; see `UserSlopes`.
    """

    weights: NDArray[np.float64]
    squares: NDArray[np.float64]
    row_of: NDArray[np.int32]
    slopes: NDArray[np.uint16]
    places: NDArray[np.int64]


class Ranks(NamedTuple):
    """The ranks of the items of n events.

    rank: (n, arms) 0 is best; ties count against the item; an item that is no candidate ranks after all candidates;
    -1 if it was not ranked. chosen: (n,) the item's place among the candidates, or -1. top: (n, 10) item rows of the
    highest scores in order, then -1.
    """

    rank: NDArray[np.int64]
    chosen: NDArray[np.int64]
    top: NDArray[np.int32]


def room_for(questions: int) -> Proposed:
    """Allocate the candidates of this many questions."""
    shape = (questions, len(LAYOUT), ROOM)
    return Proposed(
        np.zeros(shape, np.float32), np.zeros((questions, ROOM), np.int32), np.zeros(questions, np.int64)
    )


def scratch_for(slots: int, rows: int, dim: int) -> Scratch:
    """Allocate the working memory of one thread. slots: of co-visits. rows: items of a domain. dim: of text."""
    return Scratch(
        np.zeros(1, np.int64), np.zeros(slots, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int32),
        np.zeros((MET, SUMS), np.float32), np.zeros(MET, np.int32), np.zeros((len(PROPOSING), MET), np.int32),
        np.zeros((OWN_LATEST + 1, dim), np.float32), room_to_find(TOP_OF_EACH, rows), np.zeros(ROOM, np.float32),
    )  # fmt: skip


class Scratches:
    """The working memory of several threads. Each task takes one for itself."""

    def __init__(self) -> None:
        self._free: list[Scratch] = []

    def make(self, count: int, slots: int, rows: int, dim: int) -> None:
        """Make sure that `count` are there and large enough. Call it while no task runs. See `scratch_for`."""
        fit = [
            s for s in self._free if len(s.mark) >= slots and len(s.stamp) >= rows and s.epoch[0] < LAST_EPOCH
        ]
        self._free = fit + [scratch_for(slots, rows, dim) for _ in range(count - len(fit))]

    @contextmanager
    def one(self) -> Iterator[Scratch]:
        """Lend one. `make` must have made one for each task that runs at the same time."""
        scratch = self._free.pop()
        try:
            yield scratch
        finally:
            self._free.append(scratch)


class Known(NamedTuple):
    """What does not change while questions are answered."""

    asked: Asked
    items: Items
    visits: Visits


@kernel
def propose(known: Known, scratch: Scratch, wanted: NDArray[np.int64], added: Added, out: Proposed) -> None:
    """Write the candidates of the questions `wanted` and their columns. wanted: (n,) places in `known.asked`."""
    asked, items, visits = known
    for n in range(len(wanted)):
        event = wanted[n]
        scratch.epoch[0] += 1
        close_seen(event, asked, items, scratch)
        item = asked.item[event]
        rows = out.rows[n]
        out.sizes[n] = 0
        if item >= 0 and (not items.open[item] or scratch.stamp[item] == 2 * scratch.epoch[0]):
            continue  # the user has had the item, or it may not be recommended, so it has no rank
        met = sum_covisits(event, asked, items, visits, scratch)
        count = choose(event, met, asked, items, scratch, rows)
        count = take_added(n, added, items, scratch, rows, count)
        out.sizes[n] = count
        fill(Columns(out.values[n], rows, count, event, asked, items, visits, scratch))


class Case(NamedTuple):
    """One question, at place `event` of `asked`, and its candidates, at place `n` of `proposed`."""

    asked: Asked
    event: int
    proposed: Proposed
    n: int


@kernel
def weigh(case: Case, weighing: Weighing, scores: NDArray[np.float32], w: NDArray[np.float32]) -> None:
    """Write the scores of one question's candidates, (room,), and the weights w that made them, (5 · signals,)."""
    asked, event, proposed, n = case
    user = asked.user[event]
    bucket, gap = part_rows(asked.events[event], asked.gap[event])
    row = weighing.row_of[user] if 0 <= user < len(weighing.row_of) else 0
    slopes = weighing.slopes[row - 1, 0] if row > 0 else np.zeros(0, np.uint16)
    weights_of(weighing.weights, slopes, bucket, gap, w)
    score(Signals(proposed.values[n], weighing.places, KNOTS, proposed.sizes[n]), w, scores)


@kernel
def learn_choice(
    case: Case, weighing: Weighing, chosen: int, scores: NDArray[np.float32], g: NDArray[np.float32]
) -> None:
    """Take one gradient step towards the chosen candidate, and away from it if it was skipped.

    scores: of `weigh`, overwritten. g: working memory, as w. A choice counts `asked.worth` times. A skip tells that the
    item was not chosen: `∂/∂w -log(1 - P) = -P / (1 - P) · ∂/∂w -log P`. The factor is at most 1, so that a skip never
    counts more than a choice.
    """
    asked, event, proposed, n = case
    user = asked.user[event]
    bucket, gap = part_rows(asked.events[event], asked.gap[event])
    row = weighing.row_of[user] if 0 <= user < len(weighing.row_of) else 0
    slopes = weighing.slopes[row - 1] if row > 0 else np.zeros((2, 0), np.uint16)
    gradient(Signals(proposed.values[n], weighing.places, KNOTS, proposed.sizes[n]), chosen, scores, g)
    worth = asked.worth[event]
    if worth < 0:
        share = scores[chosen] + np.float32(1)
        worth *= min(share / max(np.float32(1) - share, np.float32(1e-6)), np.float32(1))
    for f in range(len(g)):
        g[f] *= worth
    step(weighing.weights, weighing.squares, slopes, bucket, gap, g)


@kernel
def learn_skip(
    case: Case, weighing: Weighing, skipped: int, scores: NDArray[np.float32], w: NDArray[np.float32]
) -> None:
    """Take one gradient step away from the skipped candidate, if there is a ranker. scores, w: working memory."""
    if len(weighing.weights) > 0:
        weigh(case, weighing, scores, w)
        learn_choice(case, weighing, skipped, scores, w)


class Rankers(NamedTuple):
    """Both rankers of a domain. target_only: the target-only ranker, with empty arrays if the domain has none."""

    full: Weighing
    target_only: Weighing


@kernel
def judge(asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, rankers: Rankers, learn: bool,
          out: Ranks) -> None:  # fmt: skip
    """Rank the items of the events `wanted`, (n,), by every arm; learn each choice if `learn`. out: written."""
    full, target_only = rankers
    scores = np.empty(proposed.rows.shape[1], np.float32)
    w = np.empty(full.weights.shape[1], np.float32)
    for n in range(len(wanted)):
        event, count = wanted[n], proposed.sizes[n]
        out.rank[n], out.chosen[n], out.top[n] = -1, -1, -1
        if count == 0 or asked.item[event] < 0:
            continue
        case = Case(asked, event, proposed, n)
        chosen = place_of(proposed.rows[n], count, asked.item[event])
        out.chosen[n] = chosen
        if asked.worth[event] < 0:
            if learn and chosen >= 0:
                learn_skip(case, full, chosen, scores, w)
                learn_skip(case, target_only, chosen, scores, w)
            continue
        weigh(case, full, scores, w)
        write_top(proposed.rows[n], scores, count, out.top[n])
        if chosen < 0:
            out.rank[n] = count
        else:
            out.rank[n, FULL] = rank_of(scores, count, chosen)
            out.rank[n, TEXT_ARM] = rank_of(proposed.values[n, TEXT], count, chosen)
            out.rank[n, POPULARITY_ARM] = rank_of(proposed.values[n, POPULAR], count, chosen)
            if learn:
                learn_choice(case, full, chosen, scores, w)
        if len(target_only.weights) == 0:
            out.rank[n, TARGET_ONLY_ARM] = -1
        elif chosen >= 0:
            weigh(case, target_only, scores, w)
            out.rank[n, TARGET_ONLY_ARM] = rank_of(scores, count, chosen)
            if learn:
                learn_choice(case, target_only, chosen, scores, w)


@kernel
def judge_again(asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, weighing: Weighing,
                chosen: NDArray[np.int64], rank: NDArray[np.int64]) -> None:  # fmt: skip
    """Rank the chosen candidates by other weights, and let these weights learn each choice.

    The users' slopes add to the scores but do not learn. chosen: (n,) places among the candidates, -1 for none. rank:
    (n,), written; -1 where nothing was chosen.
    """
    scores = np.empty(proposed.rows.shape[1], np.float32)
    w = np.empty(weighing.weights.shape[1], np.float32)
    shared = Weighing(
        weighing.weights, weighing.squares, weighing.row_of[:0], weighing.slopes, weighing.places
    )
    for n in range(len(wanted)):
        rank[n] = -1
        if chosen[n] >= 0 and asked.worth[wanted[n]] > 0:
            case = Case(asked, wanted[n], proposed, n)
            weigh(case, weighing, scores, w)
            rank[n] = rank_of(scores, proposed.sizes[n], chosen[n])
            learn_choice(case, shared, chosen[n], scores, w)
