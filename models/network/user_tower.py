"""Run the user tower, compiled: compute a user's vector from their recent items, independent of other users.

n users, L recent items, A heads, Q dimensions of a query, F = D-1, H hidden; the equations are in `two_tower.py`.
Item vectors keep all D components, with 0 as the last: D is a power of two, which suits vector instructions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.network.attention import attend
from models.tables.replay_buffer import DAY

Array = NDArray[np.float32]
Index = NDArray[np.int64]


class UserTower(NamedTuple):
    """The tower's parameters. query, key: (F, A·Q). query_bias: (A·Q,). position: (A, L or more). fade: (A,).

    mix: (A·F, F). into: (A·F, H). bias: (H,). out: (H, F).
    """

    query: Array
    query_bias: Array
    key: Array
    position: Array
    fade: Array
    mix: Array
    into: Array
    bias: Array
    out: Array


@kernel
def gather(domain: int, recent: NDArray[np.float64], items: Array, vectors: Array, near: Index) -> None:
    """Copy the vectors of the recent items of one domain to `vectors`, and write their rows to `near`.

    recent: (n, L, 3) domain, row and time. items: (rows, D) of the domain. vectors: (n · L, D), written with 0 as the
    last component. near: (n, L), written for items of this domain.
    """
    users, length = near.shape
    for b in range(users):
        for k in range(length):
            if recent[b, k, 0] == domain:
                at, row = b * length + k, np.int64(recent[b, k, 1])
                near[b, k] = at
                for f in range(vectors.shape[1]):
                    vectors[at, f] = items[row, f]
                vectors[at, vectors.shape[1] - 1] = 0


@kernel
def pauses(recent: NDArray[np.float64], near: Index) -> Array:
    """Return `log(1 + days before the newest item)`, (n, L); 0 where there is no item.

    recent: (n, L, 3) domain, row and time. near: (n, L), -1 for no item.
    """
    found = np.zeros(near.shape, np.float32)
    for b in range(len(near)):
        for k in range(near.shape[1]):
            if near[b, k] >= 0:
                days = max(recent[b, 0, 2] - recent[b, k, 2], 0.0) / DAY
                found[b, k] = np.log1p(np.float32(days))
    return found


@kernel
def questions(tower: UserTower, vectors: Array, near: Index) -> Array:
    """Return each head's query in the space of items, (n, A, D): `K' q / √Q` with `q = W w_latest + b`.

    vectors, near: of `gather`.
    """
    users, free, heads = len(near), vectors.shape[1] - 1, len(tower.fade)
    width = len(tower.query_bias) // heads
    scale = np.float32(1.0 / np.sqrt(width))
    asked, query = np.zeros((users, heads, free + 1), np.float32), np.empty(heads * width, np.float32)
    for b in range(users):
        query[:] = tower.query_bias
        if near[b, 0] >= 0:
            for f in range(free):
                part = vectors[near[b, 0], f]
                for k in range(len(query)):
                    query[k] += part * tower.query[f, k]
        for a in range(heads):
            for f in range(free):
                total = np.float32(0)
                for k in range(a * width, (a + 1) * width):
                    total += query[k] * tower.key[f, k]
                asked[b, a, f] = total * scale
    return asked


@kernel
def user_vectors(tower: UserTower, vectors: Array, near: Index, recent: NDArray[np.float64]) -> Array:
    """Return the user vectors, (n, D).

    vectors, near: of `gather`, with -1 in `near` for no item. recent: (n, L, 3), newest first.
    """
    position = np.ascontiguousarray(tower.position[:, : near.shape[1]])
    asked = questions(tower, vectors, near)
    means, _ = attend(asked, vectors, near, position, tower.fade, pauses(recent, near))
    users, heads, free = len(means), means.shape[1], means.shape[2] - 1
    out, hidden = np.ones((users, free + 1), np.float32), np.empty(len(tower.bias), np.float32)
    for b in range(users):
        u = out[b]
        hidden[:] = tower.bias
        u[:free] = 0
        for a in range(heads):
            for f in range(free):
                part = means[b, a, f]
                for h in range(len(hidden)):
                    hidden[h] += part * tower.into[a * free + f, h]
                for k in range(free):
                    u[k] += part * tower.mix[a * free + f, k]
        for h in range(len(hidden)):
            part = max(hidden[h], np.float32(0))
            for k in range(free):
                u[k] += part * tower.out[h, k]
    return out
