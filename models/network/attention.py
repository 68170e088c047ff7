"""Compute multi-head attention over a user's recent items, and its gradients, without copies of the items' vectors.

B users, L recent items, A heads, M items, F dimensions. With w_l the vector of recent item l and q_a the query:

    s_al = q_a · w_l + p_al - f_a t_l,    p = softmax_l(s),    m_a = Σ_l p_al w_l

Backward, with g_a the gradient of m_a: ∂s_al = p_al (g_a · w_l - Σ_k p_ak g_a · w_k). The gradients of q, w, p and f
follow from it. Source: Vaswani et al., "Attention is all you need" (2017), for one query.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.kernels import kernel
from models.threads import Workers, cut

Array = NDArray[np.float32]
Index = NDArray[np.int64]
PARTS = 2
"""The parts that threads may compute at the same time."""


@kernel
def attend(
    queries: Array, vectors: Array, near: Index, position: Array, fade: Array, pause: Array
) -> tuple[Array, Array]:
    """Return the means m (B, A, F) and the weights p (B, A, L); zeros for a user without items.

    queries: (B, A, F). vectors: (M, F). near: (B, L) rows of `vectors`, -1 for none. position: (A, L) the bias of each
    place. fade: (A,). pause: (B, L) t = log(1 + age of the item in days).

    >>> vectors, even = np.array([[2.0], [4.0]], np.float32), np.zeros((1, 2), np.float32)
    >>> means, weights = attend(even[:, None, :1], vectors, np.array([[1, 0]]), even, even[0, :1], even)
    >>> float(means[0, 0, 0]), weights.tolist()  # a query of 0: the plain mean
    (3.0, [[[0.5, 0.5]]])
    """
    users, heads, free = queries.shape
    length = near.shape[1]
    means, weights = np.zeros((users, heads, free), np.float32), np.zeros((users, heads, length), np.float32)
    for b in range(users):
        for a in range(heads):
            query, weight, mean = queries[b, a], weights[b, a], means[b, a]
            highest = np.float32(-np.inf)
            for n in range(length):
                if near[b, n] >= 0:
                    vector, score = vectors[near[b, n]], position[a, n] - fade[a] * pause[b, n]
                    for f in range(free):
                        score += query[f] * vector[f]
                    weight[n], highest = score, max(highest, score)
            total = np.float32(0.0)
            for n in range(length):
                if near[b, n] >= 0:
                    weight[n] = np.exp(weight[n] - highest)
                    total += weight[n]
            for n in range(length):
                if near[b, n] >= 0:
                    weight[n] /= total
                    vector = vectors[near[b, n]]
                    for f in range(free):
                        mean[f] += weight[n] * vector[f]
    return means, weights


@kernel
def attend_backward(
    gradient: Array,
    weights: Array,
    queries: Array,
    vectors: Array,
    near: Index,
    pause: Array,
) -> tuple[Array, Array, Array, Array]:
    """Return the gradients of queries, vectors, position and fade.

    gradient: (B, A, F) of m. weights: p of `attend`. The others are the inputs of `attend`.
    """
    users, heads, free = queries.shape
    length = near.shape[1]
    of_queries, of_vectors = np.zeros(queries.shape, np.float32), np.zeros(vectors.shape, np.float32)
    of_position, of_fade = np.zeros((heads, length), np.float32), np.zeros(heads, np.float32)
    along = np.zeros(length, np.float32)
    for b in range(users):
        for a in range(heads):
            g, query, weight, of_query = gradient[b, a], queries[b, a], weights[b, a], of_queries[b, a]
            mean = np.float32(0.0)
            for n in range(length):
                if near[b, n] >= 0:
                    vector, product = vectors[near[b, n]], np.float32(0.0)
                    for f in range(free):
                        product += g[f] * vector[f]
                    along[n] = product
                    mean += weight[n] * product
            for n in range(length):
                if near[b, n] >= 0:
                    vector, of_vector = vectors[near[b, n]], of_vectors[near[b, n]]
                    p, of_score = weight[n], weight[n] * (along[n] - mean)
                    for f in range(free):
                        of_query[f] += of_score * vector[f]
                        of_vector[f] += p * g[f] + of_score * query[f]
                    of_position[a, n] += of_score
                    of_fade[a] -= of_score * pause[b, n]
    return of_queries, of_vectors, of_position, of_fade


class Attention(torch.autograd.Function):
    """`attend` as a function of torch: `Attention.apply(workers, queries, vectors, near, position, fade, pause)` is m.

    The users are cut into the same parts for any number of threads, so that sums have the same order.
    """

    @staticmethod
    def forward(context: Any, workers: Workers, *inputs: Tensor) -> Tensor:
        """Return m, (B, A, F). inputs: of `attend`."""
        queries, vectors, near, position, fade, pause = (x.detach().contiguous().numpy() for x in inputs)
        parts = cut(len(queries), PARTS)

        def task(some: slice) -> tuple[Array, Array]:
            return attend(queries[some], vectors, near[some], position, fade, pause[some])

        means, weights = zip(*workers.run([partial(task, some) for some in parts]), strict=True)
        context.kept = workers, parts, weights, (queries, vectors, near, pause)
        return torch.from_numpy(np.concatenate(means))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of each input. gradient: (B, A, F) of m."""
        workers, parts, weights, (queries, vectors, near, pause) = context.kept
        of_means = gradient.contiguous().numpy()

        def task(some: slice, weight: Array) -> tuple[Array, Array, Array, Array]:
            return attend_backward(of_means[some], weight, queries[some], vectors, near[some], pause[some])

        found = workers.run([partial(task, *part) for part in zip(parts, weights, strict=True)])
        queries_of, *shared = zip(*found, strict=True)
        of_queries = torch.from_numpy(np.concatenate(queries_of))
        of_vectors, of_position, of_fade = (torch.from_numpy(np.add.reduce(own)) for own in shared)
        return None, of_queries, of_vectors, None, of_position, of_fade, None
