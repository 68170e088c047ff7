"""Define the sizes, rates and weights of a network."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.settings import LEAST_STEP
from models.transfer.strategies import Strategy


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes, rates and weights, the same for a network and its shadow."""

    seed: int = 0
    """Seed of the first parameters and of all draws."""
    dim: int = 32
    """Components of a user's or an item's vector."""
    hidden: int = 64
    """Width of the hidden layers."""
    recent: int = 30
    """The number of a user's latest items that the user tower reads."""
    replay: int = 32
    """The number of earlier events that each step learns again."""
    replay_capacity: int = 20_000
    """The number of latest events that replay draws from."""
    negatives: int = 128
    """The number of items of each domain that each step draws as competitors."""
    item_rate: float = 0.2
    """Adagrad's rate for the rows of items, in a step of 256 events; see `NetworkTrainer`."""
    dense_rate: float = 4e-3
    """Adam's rate for all other parameters, in a step of 256 events."""
    least_step: int = LEAST_STEP
    """The least number of events of a step, if more wait."""
    largest_step: int = 1_024
    """The number of events to which steps grow. Up to twice as many go into one step, rather than into two halves."""
    growth: int = 32
    """Between the two bounds, a step takes one event for this many events learned before it."""
    strategy: Strategy | Literal["auto"] = "correct"
    """How sources help targets; `auto` searches for the best strategy while it learns."""
    target_weight: float = 0.5
    """λ: weight of the targets' loss beside the sources'."""
    correction_weight: float = 0.2
    """γ: weight of the correction loss."""
    kappa: float = 500.0
    """κ: strength of the bias correction, in target events."""
    popularity_half_life: float = 5_000.0
    """Half-life of the counts that log Q comes from, in events of the domain."""
