"""Run our own arms: the learner on all domains or on the target alone, and single signals."""

from __future__ import annotations

import msgspec

from consumers.config.schema import Settings
from consumers.evaluation.dataset import Data, Vectors
from consumers.evaluation.metrics import rank_of
from consumers.evaluation.predictions import STRATEGY_ARMS, TOP, WARM_UP_SHARE, ArmOutcome
from consumers.evaluation.workers import Tell
from models.learner import Learner
from models.ranking.single_signal import scores_by, top_by
from models.schema import Interaction

SIGNAL_ARMS = ("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever", "co_visitation", "text")


def make_learner(data: Data, vectors: Vectors, settings: Settings, seed: int, alone: bool) -> Learner:
    """Make a learner that knows every item of the file, as `run` does once it has read the item topics."""
    domains = [d for d in data.domains if not alone or d.name == data.target]
    room = max(settings.learner.items_per_domain, len(data.items))
    learning = msgspec.structs.replace(settings.learning(), items_per_domain=room, seed=seed)
    learner = Learner(domains, learning)
    kept = {d.name for d in domains}
    raw = dict(zip(vectors.positions.tolist(), vectors.raw, strict=True))
    texts = {}
    for position, item in enumerate(data.items):
        if item.domain in kept:
            learner.put_item(item)
            if position in raw:
                texts[item.domain, item.item_id] = raw[position]
    learner.put_text_vectors(texts, idle=True)
    return learner


def run_learner(
    data: Data, vectors: Vectors, settings: Settings, seed: int, arm: str, progress: Tell
) -> list[ArmOutcome]:
    """Score every event and then learn it, in one learner; `target_only` sees only the target's events.

    `full_<strategy>` is the full learner with that adaptation strategy instead of the config's. For `full` with the
    first seed, each single signal ranks the same events.
    """
    alone = arm == "target_only"
    if arm in STRATEGY_ARMS:
        settings = msgspec.structs.replace(
            settings,
            adaptation=msgspec.structs.replace(settings.adaptation, strategy=arm.removeprefix("full_")),
        )
    learner = make_learner(data, vectors, settings, seed, alone)
    total = sum(e.domain == data.target for e in data.events)
    outcome = ArmOutcome(arm, seed, total)
    with_signals = arm == "full" and seed == settings.learner.seed
    signals = [ArmOutcome(name, seed, total) for name in SIGNAL_ARMS] if with_signals else []
    domain = learner.index[data.target]
    catalogue = learner.catalogues[domain]
    first = int(WARM_UP_SHARE * total)
    at = 0
    for n, event in enumerate(data.events):
        is_target = event.domain == data.target
        if alone and not is_target:
            continue
        scored = learner.score(event)
        if is_target:
            if scored.prediction is not None:
                outcome.prediction[at] = scored.prediction
            if at >= first and scored.rank is not None:
                outcome.rank[at] = scored.rank
                outcome.recommended.update(scored.ranked.top.tolist())
                _rank_signals(signals, learner, domain, event, at)
            at += 1
        learner.learn(event, scored)
        if learner.waiting >= settings.intake.network_events:
            learner.end_batch()
        if n % 1000 == 0:
            progress(n)
    for one in (outcome, *signals):
        one.catalogue = int(catalogue.recommendable[: catalogue.size].sum())
    progress(len(data.events))
    return [outcome, *signals]


def _rank_signals(
    outcomes: list[ArmOutcome], learner: Learner, domain: int, event: Interaction, at: int
) -> None:
    if not outcomes:
        return
    catalogue, user = learner.catalogues[domain], learner.users.get(event.user)
    eligible = learner.history.eligible(user, domain)
    item = catalogue.ids.get(event.item)
    assert item is not None
    time = learner.clock.at(domain, event.timestamp / 1000)
    for outcome in outcomes:
        scores = scores_by(learner.ranker, outcome.arm, domain, user, time, eligible)
        outcome.rank[at] = rank_of(scores, eligible, item)
        top = top_by(learner.ranker, outcome.arm, domain, scores, eligible, TOP)
        outcome.recommended.update(top.tolist())
