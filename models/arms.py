"""The full learner and, beside it on the same stream, one target-only learner per target: what transfer brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptation import divergence
from models.drift import DriftDetectors
from models.interaction import Domain, Interaction, Item
from models.learner import Learner, ScoredEvent
from models.prequential import NDCG_LOSS, RMSE, Prequential, ndcg_at_10
from models.settings import LearnerSettings

SAMPLE_ITEMS = 2000


def sample(learner: Learner, domain: int) -> NDArray[np.float32]:
    """Vectors of up to 2,000 of the domain's items, evenly over its rows."""
    vectors = learner.network.item_vectors(domain)
    return vectors[:: max(1, len(vectors) // SAMPLE_ITEMS)]


class Arms:
    """Feeds every event to all arms, score before learn, and keeps their prequential errors."""

    def __init__(self, domains: Sequence[Domain], settings: LearnerSettings, diversity: float = 0.0) -> None:
        self.full = Learner(domains, settings, diversity)
        self.alone = {
            d.name: Learner([d], settings)
            for d in domains
            if d.is_target and settings.compare and len(domains) > 1
        }
        self.prequential = Prequential()
        self.drift = DriftDetectors()

    def step(self, event: Interaction) -> list[str]:
        """Scores and learns one event; gives the metrics in which a drift was detected."""
        drifted = self._judge("full", event, self._run(self.full, event))
        if (alone := self.alone.get(event.domain)) is not None:
            self._judge("target_only", event, self._run(alone, event))
            alone.forget_evictions()  # nothing of it is published
        return drifted

    @staticmethod
    def _run(learner: Learner, event: Interaction) -> ScoredEvent:
        scored = learner.score(event)
        learner.learn(event, scored)
        return scored

    def _judge(self, arm: str, event: Interaction, scored: ScoredEvent) -> list[str]:
        errors: dict[str, float] = {}
        if event.value is not None and scored.prediction is not None:
            errors[RMSE] = (event.value - scored.prediction) ** 2
        if scored.rank is not None:
            errors[NDCG_LOSS] = 1.0 - ndcg_at_10(scored.rank)
        drifted = []
        for metric, error in errors.items():
            self.prequential.add(event.domain, metric, arm, error)
            if arm == "full" and self.drift.update(event.domain, metric, error):
                drifted.append(metric)
        return drifted

    def end_batch(self) -> None:
        self.full.end_batch()
        for learner in self.alone.values():
            learner.end_batch()

    def put_item(self, item: Item) -> None:
        self.full.put_item(item)
        if (alone := self.alone.get(item.domain)) is not None:
            alone.put_item(item)
            alone.forget_evictions()

    def put_text_vectors(self, vectors: dict[tuple[str, str], NDArray[np.float32]], idle: bool) -> None:
        self.full.put_text_vectors(vectors, idle)
        for name, learner in self.alone.items():
            learner.put_text_vectors({k: v for k, v in vectors.items() if k[0] == name}, idle)

    def report(self, domain: str) -> dict[str, float]:
        """What is known of a domain, by the field names of `cc:domain:<domain>`."""
        full, prequential = self.full, self.prequential
        index = full.index[domain]
        fields = {"mean": full.rating.mean(index)}
        for terms in (full.rating.domain_terms(index), full.network.domain_bias(index)):
            fields |= {f"bias:{term}": value for term, value in terms.items()}
        if full.domains[index].is_target:
            fields["adaptation_rate"] = full.network.adaptation_rate(index)
            target = sample(full, index)
            for source in full.domains:
                if source.is_source and source.name != domain:
                    fields[f"divergence:{source.name}"] = divergence(
                        sample(full, full.index[source.name]), target
                    )
        for name, metric, arm in prequential.measured():
            if name == domain:
                fields[f"error:{metric}:{arm}"] = prequential.error(domain, metric, arm) or 0.0
                gain = prequential.gain(domain, metric)
                if gain is not None:
                    fields[f"gain:{metric}"] = gain
        return fields

    def state(self) -> dict[str, Any]:
        return {
            "full": self.full.state(),
            "alone": {name: learner.state() for name, learner in self.alone.items()},
            "prequential": self.prequential.state(),
            "drift": self.drift.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Raises ValueError if the state belongs to other domains or roles."""
        if set(state["alone"]) != set(self.alone):
            raise ValueError(
                f"the state holds the targets {sorted(state['alone'])}, not {sorted(self.alone)}"
            )
        self.full.load(state["full"])
        for name, learner in self.alone.items():
            learner.load(state["alone"][name])
        self.prequential.load(state["prequential"])
        self.drift.load(state["drift"])
