"""Define the shared two-tower / NCF network: one user space for all domains, a choice head and a rating head.

B events, M items, L recent items, D dimensions of the shared space, F = D-1, T of the text, H hidden, K domains,
A attention heads, Q dimensions of a query.

    item    h = relu(W [e_i ; z_i] + b_d)        v_i = [e_i + P z_i ; 0] + V h + c_d = [w_i ; g_i]
    user    m_a = Σ_l softmax_l(q_a · k_al / √Q + p_al - f_a log(1 + age_l)) w_l      over the recent items l
            u = [M m + V' relu(W' m + b') ; 1]                                      m = [m_1 ; … ; m_A]
    choice  affinity = u · v_i
    rating  residual = r · relu(W2 relu(W1 [u ; w_i ; u ⊙ w_i] + c1_d) + c2_d) + c3_d

The query q_a comes from the latest item, the key k_al from item l. At first each head is a mean that forgets at its own
speed (p): one for the last item, others for the visit and the long run. The factor f reduces the weight of old items.
A user has no parameters, because their vector depends on their recent items only. The user tower does not know the
domain. Each domain has its own bias vector in each hidden layer of the item tower and of the rating head.
The last component of a user's vector is 1, so the last component of an item's vector, g_i, is its popularity.
Sources: two towers, Yi et al. (2019); attention over the last items, Kang and McAuley, SASRec (2018), with the
linear position bias of ALiBi (Press 2022); rating head, He et al., NCF (2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.network.attention import Attention
from models.network.config import NetworkConfig
from models.threads import ALONE, Workers

FORGETTING = (0.3, 0.7, 0.9, 1.0)
"""Initial factor by which the weight of an item falls with each position further back, by head."""
HIDDEN_LOGIT = -1e9
"""A logit whose softmax weight is exactly zero."""


class Network(nn.Module):
    """The dense parameters and the forward passes. The tables of rows are kept elsewhere, because they grow."""

    def __init__(
        self,
        domains: int,
        text: int,
        config: NetworkConfig,
        generator: torch.Generator,
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self._workers, dim, hidden, recent = workers, config.dim, config.hidden, config.recent

        def matrix(inputs: int, outputs: int, gain: float = 1.0) -> nn.Parameter:
            return nn.Parameter(torch.randn(inputs, outputs, generator=generator) * gain / inputs**0.5)

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape))

        free, heads, query = dim - 1, len(FORGETTING), 16
        self.text = matrix(text, free)
        self.item_in, self.item_out = matrix(free + text, hidden), matrix(hidden, dim, 0.3)
        self.item_bias_in, self.item_bias_out = zeros(domains, hidden), zeros(domains, dim)
        self.query, self.query_bias = matrix(free, heads * query), zeros(heads * query)
        self.key = matrix(free, heads * query)
        self.position = nn.Parameter(torch.tensor(FORGETTING).log()[:, None] * torch.arange(float(recent)))
        self.fade = zeros(heads)
        self.user_mix = nn.Parameter(torch.eye(free).repeat(heads, 1) / heads)
        self.user_in, self.user_out = matrix(heads * free, hidden), matrix(hidden, free, 0.3)
        self.user_bias = zeros(hidden)
        self.rating_in, self.rating_mid = matrix(3 * free, hidden), matrix(hidden, hidden // 2)
        self.rating_out = matrix(hidden // 2, 1, 0.1)
        self.rating_bias_in, self.rating_bias_mid = zeros(domains, hidden), zeros(domains, hidden // 2)
        self.rating_bias_out = zeros(domains, 1)
        self.log_variance = zeros(2)  # of the tasks: choice, rating

    @property
    def domain_layers(self) -> dict[str, nn.Parameter]:
        """The bias vectors of all domains, (K, ·) for each layer. The bias correction moves them toward the source."""
        return {
            "item_in": self.item_bias_in,
            "item_out": self.item_bias_out,
            "rating_in": self.rating_bias_in,
            "rating_mid": self.rating_bias_mid,
            "rating_out": self.rating_bias_out,
        }

    def fixed_inputs(self, text: Tensor, domain: Tensor) -> Tensor:
        """Return the inputs of `items` besides the rows, (M, T+K): text (M, T), and domain (M,) as one-hot vectors."""
        return torch.cat([text, nn.functional.one_hot(domain, len(self.item_bias_in)).to(text.dtype)], dim=1)

    def items(self, rows: Tensor, fixed: Tensor) -> Tensor:
        """Return the item tower's output, (M, D). rows: (M, D). fixed: (M, T+K) from `fixed_inputs`.

        The bias vectors are added by a product with the one-hot domains, so that their gradient is a product too.
        """
        own, of_text = torch.split(self.item_in, [rows.shape[1] - 1, len(self.text)])  # (F, H), (T, H)
        hidden = torch.cat([of_text, self.item_bias_in])  # (T+K, H)
        linear = torch.cat([nn.functional.pad(self.text, (0, 1)), self.item_bias_out])  # (T+K, D)
        outside = fixed @ torch.cat([hidden, linear], dim=1)  # (M, H+D)
        before, beside = torch.split(outside, [hidden.shape[1], linear.shape[1]], dim=1)
        h = torch.relu(torch.addmm(before, rows[:, :-1], own))  # (M, H)
        return torch.addmm(beside, h, self.item_out) + rows

    def users(self, vectors: Tensor, near: Tensor, age: Tensor) -> Tensor:
        """Return the user tower's output, (B, D).

        vectors: (M, F) of items. near: (B, L) rows of `vectors`, the recent items newest first, -1 for none. age:
        (B, L) days between the item and the newest one.
        """
        count, heads = len(near), len(self.fade)
        latest = vectors.index_select(0, near[:, 0].clamp(min=0)) * (near[:, :1] >= 0)  # (B, F)
        query = (latest @ self.query + self.query_bias).view(count, heads, -1)  # (B, A, Q)
        # (K w) · q = w · (K' q). The right side needs no key for each of the L items.
        key = self.key.view(-1, heads, query.shape[2]) * query.shape[2] ** -0.5  # (F, A, Q)
        asked = (query.transpose(0, 1) @ key.permute(1, 2, 0)).transpose(0, 1)  # (B, A, F)
        position = self.position[:, : near.shape[1]]
        means = Attention.apply(  # type: ignore[no-untyped-call]
            self._workers, asked, vectors, near, position, self.fade, torch.log1p(age)
        )
        mean = means.flatten(1)  # (B, A·F)
        h = torch.relu(mean @ self.user_in + self.user_bias)  # (B, H)
        u = torch.addmm(mean @ self.user_mix, h, self.user_out)  # (B, F)
        return nn.functional.pad(u, (0, 1), value=1.0)

    def ratings(self, users: Tensor, items: Tensor, domain: Tensor) -> Tensor:
        """Return the rating head's residuals, (B,), in units of the rating. users, items: (B, D). domain: (B,)."""
        u, v = users[:, :-1], items[:, :-1]
        of = nn.functional.one_hot(domain, len(self.rating_bias_in)).to(u.dtype)  # (B, K)
        h = torch.addmm(of @ self.rating_bias_in, torch.cat([u, v, u * v], dim=1), self.rating_in)
        h = torch.addmm(of @ self.rating_bias_mid, torch.relu(h), self.rating_mid)  # (B, H/2)
        return torch.addmm(of @ self.rating_bias_out, torch.relu(h), self.rating_out).squeeze(1)
