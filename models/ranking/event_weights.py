"""Learn how much an event of each type tells of what its user chooses later, compared with a plain click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.schema import Interaction
from models.settings import EventType
from models.signals.covisit_scores import FADE, SEQUENCE
from models.signals.covisitation import NEXT
from models.signals.signal import Asked, Visits
from models.state.tracked_tables import Checkpointed
from models.tables.event_rings import NO_KINDS, Done
from models.tables.neighbour_lists import find

RATE = 0.02
FADING = float(FADE)
FARTHEST = np.log(20.0)
"""A weight stays within a twentieth and twenty times its start."""
PLAIN = 0
"""The kind of a click or a rating. Clicks of own types count from 1 up, skips from -1 down."""

NO_WEIGHTS = {"names": [], "learned": [0.0]}
"""The state without types besides click and rating."""


class Outcomes(NamedTuple):
    """B events whose user chose an item, and what the user did before.

    asked: the questions. slots: (B,) co-visit slots of the items. kinds: (B, R) kinds of the latest items. worth: (B,)
    what the event is worth as an outcome, at most 1; 0 for a skip.
    """

    asked: Asked
    slots: NDArray[np.int64]
    kinds: NDArray[np.int8]
    worth: NDArray[np.float64]


@kernel
def learn(outcomes: Outcomes, visits: Visits, logs: NDArray[np.float64], start: NDArray[np.float64]) -> None:
    """Take one step for each event: `log θ_e ← log θ_e + rate · worth · Σ_{k of type e} (r_k - π_k)`.

    logs: (kinds,) log θ, written; that of a plain click stays. start: (kinds,) log of the weights at the start.

    The user's k-th latest item j is an expert that says how likely the item i is next, `q_k = next(j → i) / n_j`, where
    `n_j = recent_count · recent_weight²` is all that followed j (`followers.by_followers`). The
    gate is `π_k ∝ θ_e(k) 0.8^(k-1)`, and `r_k ∝ π_k q_k` is the expert's share of the mixture's probability. Their
    difference is the gradient of the log likelihood of a mixture of experts with respect to the logarithm of a gate
    (Jacobs, Jordan, Nowlan and Hinton, Neural Computation 1991). Ordered counts are those from before the event.
    """
    asked, slots, kinds, worth = outcomes
    gate = np.zeros(SEQUENCE)
    share = np.zeros(SEQUENCE)
    for b in range(len(slots)):
        count, gates, shares = min(asked.recent_n[b], SEQUENCE), 0.0, 0.0
        fade = 1.0
        for k in range(count):
            slot = asked.recent_slot[b, k]
            gate[k], share[k] = np.exp(logs[kinds[b, k]]) * fade, 0.0
            if slot >= 0 and slots[b] >= 0 and slot != slots[b]:
                at = find(visits.ids, visits.begin[slot], visits.room[slot], slots[b])
                if at >= 0:
                    events = asked.recent_count[b, k] * asked.recent_weight[b, k] ** 2
                    share[k] = gate[k] * visits.weights[at, NEXT] / events
            gates += gate[k]
            shares += share[k]
            fade *= FADING
        if shares <= 0 or worth[b] <= 0:
            continue
        for k in range(count):
            kind = kinds[b, k]
            if kind > PLAIN:
                moved = logs[kind] + RATE * worth[b] * (share[k] / shares - gate[k] / gates)
                logs[kind] = min(max(moved, start[kind] - FARTHEST), start[kind] + FARTHEST)


class EventWeights(Checkpointed):
    """The weights of all types of events. A plain click has weight 1 for ever.

    A type begins with the weight of the config. That weight also says what the event is worth as an outcome, which is
    a matter of the business and not learned. The learned weight says what the event is worth as evidence.

    >>> weights = EventWeights({"view": EventType("click", 0.25), "skip": EventType("skip")})
    >>> kinds = weights.kinds([Interaction("a", "click", "u", "i", 0, own_type=own) for own in ("view", "", "skip")])
    >>> kinds.tolist(), weights.of(kinds).tolist()
    ([1, 0, -1], [0.25, 1.0, 1.0])
    """

    def __init__(self, types: Mapping[str, EventType]) -> None:
        """types: by name, as the config has them."""
        self.clicks = [name for name, own in types.items() if own.as_ == "click"]
        skips = [name for name, own in types.items() if own.as_ == "skip"]
        self._codes = {name: n for n, name in enumerate(self.clicks, 1)} | {
            name: -n for n, name in enumerate(skips, 1)
        }
        self._start = np.log([1.0, *(types[name].weight for name in self.clicks)])
        self._skips = np.array([1.0, *(types[name].weight for name in skips)])
        self.logs = self._start.copy()

    def __bool__(self) -> bool:
        """Return whether there are types besides click and rating."""
        return bool(self._codes)

    def kinds(self, events: Sequence[Interaction]) -> NDArray[np.int8]:
        """Return the kinds of events, (B,): 0 for a click or a rating, below 0 for a skip; empty without own types."""
        if not self._codes:
            return NO_KINDS
        return np.array([self._codes.get(event.own_type, PLAIN) for event in events], np.int8)

    def of(self, kinds: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the present weights of events by kind, in the shape of `kinds`."""
        return self._by_kind(np.exp(self.logs), kinds)

    def starts(self, kinds: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the weights of the config of events by kind, in the shape of `kinds`."""
        return self._by_kind(np.exp(self._start), kinds)

    def _by_kind(self, clicks: NDArray[np.float64], kinds: NDArray[np.int8]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.where(
            kinds < 0, self._skips[np.maximum(-kinds, 0)], clicks[np.maximum(kinds, 0)]
        )
        return found

    def asked(
        self, done: Done, recalled: NDArray[np.int8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `recent_weight` and `worth` of `Asked`. recalled: (B, R) kinds of the latest items."""
        if not self._codes:
            return np.ones(recalled.shape, np.float32), np.ones(len(done.user), np.float32)
        worth = np.where(done.chosen(), 1.0, -1.0) * self.starts(done.kinds())
        return self.of(recalled).astype(np.float32), worth.astype(np.float32)

    def learn(self, asked: Asked, slots: NDArray[np.int64], kinds: NDArray[np.int8], visits: Visits) -> None:
        """Learn from B events. slots: of their items. kinds: (B, R) of the latest items."""
        worth = np.maximum(asked.worth, 0.0) / np.exp(self._start).max()
        learn(Outcomes(asked, slots, kinds, worth), visits, self.logs, self._start)

    def report(self) -> dict[str, float]:
        """Return the present weight of each type of click."""
        return dict(zip(self.clicks, np.exp(self.logs[1:]).tolist(), strict=True))

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"names": list(self.clicks), "learned": (self.logs - self._start).tolist()}

    def load(self, state: dict[str, Any]) -> NDArray[np.int8]:
        """Take up what was learned, by name. Return the present kind of each kind in the state.

        A type that is gone becomes a plain click. One whose weight in the config has changed keeps the factor learned.
        """
        now = [self._codes.get(name, PLAIN) for name in state["names"]]
        for kind, learned in zip(now, state["learned"][1:], strict=True):
            if kind > PLAIN:
                self.logs[kind] = self._start[kind] + min(max(learned, -FARTHEST), FARTHEST)
        return np.array([PLAIN, *(max(kind, PLAIN) for kind in now)], np.int8)
