"""What can be chosen of a network and of how it learns."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.transfer.strategies import Strategy


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes, rates and weights; the same for a champion and its shadow."""

    dim: int = 32
    """Components of a user's or an item's vector."""
    hidden: int = 64
    """Width of the hidden layers."""
    recent: int = 30
    """A user's latest items that the user tower reads."""
    replay: int = 128
    """Earlier events that are learned again in each step."""
    replay_capacity: int = 20_000
    """Latest events that replay draws from."""
    negatives: int = 128
    """Items of each domain drawn as competitors in each step."""
    item_rate: float = 0.2
    """Adagrad's rate for the rows of items, in a step of 256 events; see `NetworkTrainer`."""
    dense_rate: float = 4e-3
    """Adam's rate for all other parameters, in a step of 256 events."""
    least_step: int = 256
    """Events of a step, at least, if more wait."""
    largest_step: int = 1_024
    """Bound of the events of a step; up to twice as many go together rather than in two halves."""
    growth: int = 32
    """Steps grow with what was learned: one event in a step for so many before it, between the two bounds."""
    strategy: Strategy | Literal["auto"] = "correct"
    """What carries sources into targets; `auto` looks for the best one while it learns."""
    target_weight: float = 0.5
    """λ: weight of the targets' loss beside the sources'."""
    correction_weight: float = 0.2
    """γ: weight of the correction loss."""
    kappa: float = 500.0
    """κ: strength of the bias correction, in target events."""
    popularity_half_life: float = 5_000.0
    """Half-life of the counts that log Q comes from, in events of the domain."""
