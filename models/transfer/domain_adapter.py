"""Apply the targets' strategies to the network's domain layers, and keep what they need of the sources.

K domains, P parameters of one domain's layers, B events, F dimensions of an item vector without its popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.schema import Domain
from models.transfer import equations as transfer
from models.transfer.alignment import Critic, adversarial_loss, coral_loss, ramp
from models.transfer.best_source_parameters import BestSource
from models.transfer.divergence import relative_divergence
from models.transfer.strategies import PLANS, Strategy

SHARED_EVENTS = transfer.STEP_EVENTS
"""Target events up to which a sharing target has its sources' layers: one micro-batch tells nothing of its own yet."""
RAMP_EVENTS = 10_000
"""Target events until the gradient reversal has its full strength."""
SAMPLE_ITEMS = 2000
ADVERSARIAL_WEIGHT = 0.1
"""Weight beside a cross entropy of several nats: it moves vectors, and keeps what they say about items."""
CORAL_WEIGHT = 1.0


class DomainAdapter:
    """Source weights, best source parameters, and the loss terms and corrections of each target's strategy."""

    def __init__(self, domains: Sequence[Domain], layers: dict[str, nn.Parameter], critic: Critic) -> None:
        self._layers, self._critic = layers, critic
        self.sources = {
            t: [s for s, d in enumerate(domains) if d.is_source and s != t]
            for t, domain in enumerate(domains)
            if domain.is_target
        }
        """The sources of each target."""
        self.divergence: dict[int, dict[int, float]] = {t: {} for t in self.sources}
        """Divergences by target and source, as last measured."""
        self.events = np.zeros(len(domains), np.int64)
        """Learned events by domain."""
        self._sharing_from = np.zeros(len(domains), np.int64)
        """By target, its number of events when sharing began: 0, or more in a trial of sharing."""
        self._best = [BestSource() for _ in domains]

    def theta(self) -> Tensor:
        """Return (K, P): the parameters of every domain, one row each."""
        return torch.cat(list(self._layers.values()), dim=1)

    def weights(self, target: int) -> dict[int, float]:
        """Return w_s of each source with learned events. All are equal before the first measurement."""
        known = self.divergence.get(target, {})
        learned = [s for s in self.sources.get(target, []) if self.events[s]]
        return transfer.source_weights({s: known.get(s, 0.0) for s in learned})

    def measured(self, vectors: Sequence[NDArray[np.float32]]) -> dict[int, dict[int, float]]:
        """Measure divergences by target and source, from the item vectors of each domain, (rows, D)."""
        some = [v[:: max(1, len(v) // SAMPLE_ITEMS)] for v in vectors]
        return {
            t: {s: relative_divergence(some[s], some[t]) for s in sources}
            for t, sources in self.sources.items()
        }

    def share_anew(self, target: int) -> None:
        """Let the target's layers begin with those of its sources again, as without events."""
        self._sharing_from[target] = self.events[target]

    # --- a step -----------------------------------------------------------------------------------

    def correction(self, strategy: Sequence[Strategy], share: NDArray[np.float64]) -> Tensor:
        """Return Σ_t (m_t / B) ½ ‖θ_t - sg(θ_t - Δ/‖Δ‖)‖². share: (K,) m_t / B, so that the load does not matter."""
        theta = self.theta()
        total = theta.new_zeros(())
        for t in self._active(share):
            weights = self.weights(t)
            if PLANS[strategy[t]].correct and weights:
                now = theta.detach()
                best = now.clone()  # a source without a best yet: Δ = 0
                for s in weights:
                    found = self._best[s].best()
                    best[s] = now[s] if found is None else found
                source, goal = (transfer.source_mean(x, weights) for x in (now, best))
                direction = transfer.bias_direction(source, goal)
                total = total + float(share[t]) * transfer.correction_loss(theta[t], direction)
        return total

    def alignment(
        self,
        strategy: Sequence[Strategy],
        share: NDArray[np.float64],
        domain: NDArray[np.int64],
        vectors: Tensor,
    ) -> Tensor:
        """Return Σ_t (m_t / B) of the weighted alignment loss. domain: (B,). vectors: (B, F) of the events' items."""
        total = vectors.new_zeros(())
        for t in self._active(share):
            kind = PLANS[strategy[t]].align
            if kind is None:
                continue
            own = vectors[torch.from_numpy(domain == t)]
            source = vectors[torch.from_numpy(np.isin(domain, self.sources[t]))]
            if kind == "adversarial":
                strength = ramp(float(self.events[t]) / RAMP_EVENTS)
                loss = ADVERSARIAL_WEIGHT * adversarial_loss(self._critic, t, own, source, strength)
            else:
                loss = CORAL_WEIGHT * coral_loss(own, source)
            total = total + float(share[t]) * loss
        return total

    def _active(self, share: NDArray[np.float64]) -> list[int]:
        return [t for t, sources in self.sources.items() if sources and share[t] > 0]

    def learned(
        self, before: Tensor, domain: NDArray[np.int64], losses: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Note a step; return its (K,) new events. before: (K, P) parameters that gave the (B,) losses."""
        counts = np.bincount(domain, minlength=len(self.events))
        self.events += counts
        for s in set().union(*self.sources.values()):
            self._best[s].add(before[s], losses[domain == s])
        return counts

    @torch.no_grad()
    def settle(
        self, strategy: Sequence[Strategy], counts: NDArray[np.int64], rate: Callable[[int], float]
    ) -> None:
        """Share and correct the layers of targets with new events, from the values before this step.

        counts: (K,) new events. rate: returns a target's adaptation rate for 256 events.
        """
        before = {name: layer.detach().clone() for name, layer in self._layers.items()}
        for t in self._active(counts.astype(np.float64)):
            weights, plan = self.weights(t), PLANS[strategy[t]]
            if not weights or not (plan.share or plan.correct):
                continue
            share = plan.share and int(self.events[t] - self._sharing_from[t]) <= SHARED_EVENTS
            fraction = transfer.step_fraction(rate(t), float(counts[t])) if plan.correct else 0.0
            for name, layer in self._layers.items():
                source = transfer.source_mean(before[name], weights)
                layer[t] = transfer.adapted(before[name][t], source, share, fraction)

    def forget_best(self, source: int) -> None:
        """Forget the best parameters of a source, which has drifted."""
        self._best[source].forget()

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "events": self.events.copy(),
            "sharing_from": self._sharing_from.copy(),
            "divergence": {
                str(t): [[s, d] for s, d in pairs.items()] for t, pairs in self.divergence.items()
            },
            "best": {str(s): best.state() for s, best in enumerate(self._best)},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.events = state["events"].copy()
        self._sharing_from = state.get("sharing_from", np.zeros_like(self.events)).copy()
        self.divergence = {int(t): {int(s): d for s, d in pairs} for t, pairs in state["divergence"].items()}
        for s, best in enumerate(self._best):
            best.load(state["best"][str(s)])
