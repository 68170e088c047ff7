"""Predict and learn a batch of ratings in order, compiled: the equations of all blocks, one after the other.

An error e has the variance S = 1 + Σ (variances of the blocks), in units of the noise. Each block moves by its share of
S. Learning an error has two halves, which may run in two processes: `learn_user` changes the user's own state, and
`fold` changes the item's state and all shared state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.rating.bias import learn_weight, variance_of
from models.rating.item_factors import (
    ItemArrays,
    claim_item,
    count_rating,
    item_vector,
    learn_offset,
    log_popularity,
    offset_variance,
)
from models.rating.row_cells import BiasArrays
from models.rating.taste_steps import (
    LEADING,
    TasteArrays,
    advance_taste,
    learn_taste,
    taste_at,
    taste_gain,
    taste_variances,
)
from models.rating.text_prior import (
    TextArrays,
    learn_text,
    measure_vector,
    scale_vector,
    text_gain,
    text_rating,
)

EVERYWHERE, DOMAIN, USER, USER_DOMAIN, ITEM, CONTEXT, CONTEXT_DOMAIN, EXTERNAL, EXTERNAL_DOMAIN = range(9)
"""Kinds of biases, in the order of `bias.PRIOR_STRENGTH`."""
ERROR, INNOVATION, THETA = 0, 1, 2
"""Columns of lessons. The taste θ_u takes all columns from THETA on."""


class Rates(NamedTuple):
    """Variances by kind of bias, (9,). prior: of a weight before its first use. drift: added at each use."""

    prior: NDArray[np.float64]
    drift: NDArray[np.float64]


class Domains(NamedTuple):
    """Scales and ratings of D domains. unit: a quarter of the range [low, high]. sums, counts: of ratings so far."""

    unit: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


class Tables(NamedTuple):
    """All tables of the rating model."""

    bias: BiasArrays
    rates: Rates
    text: TextArrays
    taste: TasteArrays
    items: ItemArrays
    domains: Domains


class Events(NamedTuple):
    """B events with the fields of `RatedBatch`, and their contexts as slots: event n has those from start[n] on."""

    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    vectors: NDArray[np.float32]
    value: NDArray[np.float64]
    external: NDArray[np.float64]
    time: NDArray[np.float64]
    start: NDArray[np.int64]
    """(B + 1,)"""
    slots: NDArray[np.int64]
    """(contexts, 2): the slots of each context's shared weight and of its domain's weight, -1 for an unknown one."""


class Work(NamedTuple):
    """Working memory of one event. dim: length of an item vector. m: weights of a taste, k of them on the vector."""

    x: NDArray[np.float64]
    """(dim,): the scaled item vector."""
    text_gain: NDArray[np.float64]
    """(dim,)"""
    theta: NDArray[np.float64]
    """(m,): the user's taste at the event's time."""
    phi: NDArray[np.float64]
    """(m,): [1, 1, popularity, crowd, x_i + δ_i]"""
    taste_gain: NDArray[np.float64]
    """(m,)"""
    uncertainty: NDArray[np.float64]
    """(k,): variances of the weights on the vector."""


@kernel
def make_work(tables: Tables) -> Work:
    """Allocate the working memory of one event."""
    dim, m = len(tables.text.mean), len(tables.taste.prior)
    return Work(np.zeros(dim), np.zeros(dim), np.zeros(m), np.zeros(m), np.zeros(m), np.zeros(m - LEADING))


@kernel
def censored_residual(value: float, total: float, low: float, high: float) -> float:
    """Return the observed value minus the predicted one, in quarters of the range [low, high].

    It is 0 where both lie at or beyond the same end of the scale: the value is censored (Tobin 1958, "Estimation of
    relationships for limited dependent variables"). Here 4 - 3, and 5 where 5.5 was predicted:

    >>> censored_residual(4.0, 3.0, 1.0, 5.0), censored_residual(5.0, 5.5, 1.0, 5.0)
    (1.0, 0.0)
    """
    if (value >= high and total > high) or (value <= low and total < low):
        return 0.0
    return (value - total) * 4.0 / (high - low)


@kernel
def weight_at(cells: NDArray[Any], slot: int) -> float:
    """Return the weight in this slot, or 0 for the slot -1. cells: (slots, 2 or more), weights first."""
    return cells[slot, 0] if slot >= 0 else 0.0


@kernel
def predict_event(tables: Tables, events: Events, n: int, work: Work, parts: NDArray[Any]) -> None:
    """Predict event n and change no table. parts: (12,), written in rating units. work: written for `learn_event`."""
    domain, user, item = events.domain[n], events.user[n], events.item[n]
    bias, domains, theta, phi = tables.bias, tables.domains, work.theta, work.phi
    unit = domains.unit[domain]
    scale_vector(tables.text, events.vectors[n], work.x)
    text = text_rating(tables.text, work.x)
    of_item = weight_at(bias.item[domain], item)
    taste_at(tables.taste, user, events.time[n], theta)
    phi[0], phi[1] = 1.0, 1.0
    phi[2] = log_popularity(tables.items, domain, item)
    phi[3] = of_item + text
    item_vector(tables.items, domain, item, work.x, phi[LEADING:])
    context = 0.0
    for c in range(events.start[n], events.start[n + 1]):
        context += weight_at(bias.named, events.slots[c, 0]) + weight_at(bias.named, events.slots[c, 1])
    of_user = weight_at(bias.user, user) + (bias.user_domain[user, domain, 0] if user >= 0 else 0.0)
    taste = 0.0
    for k in range(LEADING, len(phi)):
        taste += theta[k] * phi[k]
    parts[0] = (domains.low[domain] + domains.high[domain]) / 2.0 + unit * bias.everywhere[0, 0]
    parts[1] = unit * bias.domain[domain, 0]
    parts[2] = unit * context
    parts[3] = unit * (theta[0] + of_user)
    parts[4] = unit * theta[1]
    parts[5] = unit * of_item
    parts[6] = unit * text
    parts[7] = unit * theta[2] * phi[2]
    parts[8] = unit * theta[3] * phi[3]
    parts[9] = unit * taste
    parts[10] = (bias.external[0, 0] + bias.external_domain[domain, 0]) * events.external[n]
    parts[11] = events.external[n]


@kernel
def bias_variance(tables: Tables, events: Events, n: int) -> float:
    """Return the variance of the biases' sum for event n, in units of the noise: Σ v_j x_j²."""
    bias, prior = tables.bias, tables.rates.prior
    domain, user, item = events.domain[n], events.user[n], events.item[n]
    total = variance_of(bias.everywhere[0], prior[EVERYWHERE])
    total += variance_of(bias.domain[domain], prior[DOMAIN])
    total += variance_of(bias.user[user], prior[USER])
    total += variance_of(bias.user_domain[user, domain], prior[USER_DOMAIN])
    total += variance_of(bias.item[domain, item], prior[ITEM])
    for c in range(events.start[n], events.start[n + 1]):
        total += variance_of(bias.named[events.slots[c, 0]], prior[CONTEXT])
        total += variance_of(bias.named[events.slots[c, 1]], prior[CONTEXT_DOMAIN])
    x = events.external[n] / tables.domains.unit[domain]
    if x != 0.0:
        outside = variance_of(bias.external[0], prior[EXTERNAL])
        outside += variance_of(bias.external_domain[domain], prior[EXTERNAL_DOMAIN])
        total += outside * x * x
    return total


@kernel
def learn_user(tables: Tables, events: Events, n: int, work: Work, error: float, innovation: float) -> None:
    """Move the user's own biases and taste by their share of an error; see `learn_event`. work: `taste_gain`."""
    bias, prior, drift = tables.bias, tables.rates.prior, tables.rates.drift
    domain, user = events.domain[n], events.user[n]
    learn_weight(bias.user[user], 1.0, prior[USER], drift[USER], error, innovation)
    own = bias.user_domain[user, domain]
    learn_weight(own, 1.0, prior[USER_DOMAIN], drift[USER_DOMAIN], error, innovation)
    learn_taste(tables.taste, user, work.taste_gain, error, innovation)


@kernel
def fold(tables: Tables, events: Events, n: int, work: Work, error: float, innovation: float) -> None:
    """Move the item's state and all shared state by their share of an error; see `learn_event`.

    work: `x`, `text_gain` and `theta` of the event. The user's tables are not read.
    """
    bias, prior, drift = tables.bias, tables.rates.prior, tables.rates.drift
    domain, item = events.domain[n], events.item[n]
    learn_weight(bias.everywhere[0], 1.0, prior[EVERYWHERE], drift[EVERYWHERE], error, innovation)
    learn_weight(bias.domain[domain], 1.0, prior[DOMAIN], drift[DOMAIN], error, innovation)
    learn_weight(bias.item[domain, item], 1.0, prior[ITEM], drift[ITEM], error, innovation)
    for c in range(events.start[n], events.start[n + 1]):
        shared, own = bias.named[events.slots[c, 0]], bias.named[events.slots[c, 1]]
        learn_weight(shared, 1.0, prior[CONTEXT], drift[CONTEXT], error, innovation)
        learn_weight(own, 1.0, prior[CONTEXT_DOMAIN], drift[CONTEXT_DOMAIN], error, innovation)
    x = events.external[n] / tables.domains.unit[domain]
    if x != 0.0:
        learn_weight(bias.external[0], x, prior[EXTERNAL], drift[EXTERNAL], error, innovation)
        own = bias.external_domain[domain]
        learn_weight(own, x, prior[EXTERNAL_DOMAIN], drift[EXTERNAL_DOMAIN], error, innovation)
    learn_text(tables.text, work.text_gain, error, innovation)
    learn_offset(tables.items, domain, item, work.theta[LEADING:], error, innovation)
    count_rating(tables.items, domain, item)
    measure_vector(tables.text, events.vectors[n])
    tables.domains.sums[domain] += events.value[n]
    tables.domains.counts[domain] += 1


@kernel
def learn_event(
    tables: Tables, events: Events, n: int, work: Work, total: float, lesson: NDArray[Any]
) -> None:
    """Let the user learn event n after `predict_event`; `fold` is the other half.

    total: the prediction in rating units. lesson: (2 + k,), written for `fold`: the error in quarters of the range, its
    innovation S in units of the noise, and θ_u.
    """
    domain, user, item = events.domain[n], events.user[n], events.item[n]
    error = censored_residual(events.value[n], total, tables.domains.low[domain], tables.domains.high[domain])
    advance_taste(tables.taste, user, events.time[n])
    claim_item(tables.items, domain, item)
    taste_variances(tables.taste, user, work.uncertainty)
    theta = work.theta[LEADING:]
    innovation = 1.0 + bias_variance(tables, events, n)
    innovation += text_gain(tables.text, work.x, work.text_gain)
    innovation += taste_gain(tables.taste, user, work.phi, work.taste_gain)
    innovation += offset_variance(tables.items, domain, item, theta, work.uncertainty)
    lesson[ERROR], lesson[INNOVATION] = error, innovation
    for k in range(len(theta)):  # assigning a slice would compile numba's text functions for an error message
        lesson[THETA + k] = theta[k]
    learn_user(tables, events, n, work, error, innovation)


@kernel
def predict_events(tables: Tables, events: Events, parts: NDArray[Any]) -> None:
    """Write the parts (B, 12) of each event; change no table."""
    work = make_work(tables)
    for n in range(len(events.domain)):
        predict_event(tables, events, n, work, parts[n])


@kernel
def learn_events(
    tables: Tables, events: Events, both: bool, parts: NDArray[Any], lessons: NDArray[Any]
) -> None:
    """Predict each event from all events before it, then learn it if it has a value, a user and an item.

    both: whether to move items and all shared state too, not users alone. parts: (B, 12), written. lessons: (B, 2 + k),
    written: error, innovation and θ_u, or nan where nothing was learned.
    """
    work = make_work(tables)
    for n in range(len(events.domain)):
        predict_event(tables, events, n, work, parts[n])
        lessons[n] = np.nan
        if not np.isnan(events.value[n]) and events.user[n] >= 0 and events.item[n] >= 0:
            total = 0.0
            for column in range(parts.shape[1] - 1):
                total += parts[n, column]
            learn_event(tables, events, n, work, total, lessons[n])
            if both:
                fold(tables, events, n, work, lessons[n, ERROR], lessons[n, INNOVATION])
