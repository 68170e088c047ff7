"""Run the network alone: it ranks by affinity, and rates by the running domain mean plus its rating head."""

from __future__ import annotations

import numpy as np

from consumers.config.schema import Settings
from consumers.evaluation.dataset import Data, Vectors
from consumers.evaluation.learner_arms import make_learner
from consumers.evaluation.metrics import rank_of
from consumers.evaluation.predictions import TOP, WARM_UP_SHARE, ArmOutcome
from consumers.evaluation.workers import Tell
from models.text.top_k import top_k_unordered


def run_network(
    data: Data, vectors: Vectors, settings: Settings, seed: int, progress: Tell
) -> list[ArmOutcome]:
    """Learn with tables, history and network only. The network gets ratings as distances to the running mean."""
    learner = make_learner(data, vectors, settings, seed, False)
    network, history = learner.network, learner.history
    total = sum(e.domain == data.target for e in data.events)
    outcome = ArmOutcome("network", seed, total)
    first, at = int(WARM_UP_SHARE * total), 0
    sums = np.zeros((len(learner.domains), 2))
    middle = sum(data.rating_range) / 2
    target = learner.index[data.target]
    batch: list[tuple[int, int, int, float, float]] = []
    contexts: list[np.ndarray] = []
    for n, event in enumerate(data.events):
        domain = learner.index[event.domain]
        catalogue = learner.catalogues[domain]
        user, known = learner.users.get(event.user), catalogue.ids.get(event.item)
        mean = sums[domain, 0] / sums[domain, 1] if sums[domain, 1] else middle
        if domain == target:
            if event.value is not None:
                vector = np.zeros(catalogue.dim, np.float32) if known is None else catalogue.vectors[known]
                rating = mean + network.rating_residual(domain, user, known, vector)
                outcome.prediction[at] = np.clip(rating, *data.rating_range)
            listed = known is not None and catalogue.recommendable[known]
            if at >= first and listed and not history.has_seen(user, domain, event.item):
                eligible = history.eligible(user, domain)
                scores = network.affinity(domain, [user])[0]
                outcome.rank[at] = rank_of(scores, eligible, int(known or 0))
                outcome.recommended.update(top_k_unordered(scores, eligible, TOP).tolist())
            at += 1
        item, row = learner.rows.item(domain, event.item), learner.rows.user(event.user)
        residual = np.nan if event.value is None else event.value - mean
        batch.append((domain, row, item, residual, event.timestamp / 1000))
        contexts.append(network.context(row))
        history.add(row, domain, item, event.timestamp / 1000)
        if event.value is not None:
            sums[domain] += event.value, 1.0
        if len(batch) >= settings.intake.least_step:
            where, who, what, left, when = (np.array(column) for column in zip(*batch, strict=True))
            network.begin(where, who, what, left.astype(np.float32), when, np.stack(contexts))()
            batch, contexts = [], []
        if n % 1000 == 0:
            progress(n)
    open_now = learner.catalogues[target]
    outcome.catalogue = int(open_now.recommendable[: open_now.size].sum())
    progress(len(data.events))
    return [outcome]
