"""Run the learner's arms: all domains, the target alone, and single signals."""

from __future__ import annotations

import msgspec
import numpy as np

from consumers.config.schema import Settings
from consumers.evaluation.dataset import Data, Vectors
from consumers.evaluation.predictions import STRATEGY_ARMS, TOP, WARM_UP_SHARE, ArmOutcome
from consumers.evaluation.workers import Tell
from models.learning.facts import ScoredEvent
from models.learning.learner import Learner
from models.learning.micro_batches import micro_batches
from models.settings import LearningSettings
from models.signals.registry import PLACES

SIGNAL_ARMS = ("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever", "co_visitation", "text")


def make_learner(data: Data, vectors: Vectors, settings: Settings, seed: int, target_only: bool) -> Learner:
    """Make a learner that knows every item of the file, as `run` does once it has read the item topics."""
    domains = [d for d in data.domains if not target_only or d.name == data.target]
    learner = Learner(domains, settings_of(data, settings, seed))
    teach_items(learner, data, vectors)
    return learner


def settings_of(data: Data, settings: Settings, seed: int) -> LearningSettings:
    """Return the settings of a learner with room for every item of the file, and no arms of its own."""
    room = max(settings.learner.items_per_domain, len(data.items))
    return msgspec.structs.replace(settings.learning(), items_per_domain=room, seed=seed, compare=False)


def teach_items(learner: Learner, data: Data, vectors: Vectors) -> None:
    """Let a learner know every item of its domains, and their texts."""
    raw = dict(zip(vectors.positions.tolist(), vectors.raw, strict=True))
    texts = {}
    for position, item in enumerate(data.items):
        if item.domain in learner.index:
            learner.put_item(item)
            if position in raw:
                texts[item.domain, item.item_id] = raw[position]
    learner.put_text_vectors(texts, idle=True)


def run_learner(
    data: Data, vectors: Vectors, settings: Settings, seed: int, arm: str, progress: Tell
) -> list[ArmOutcome]:
    """Score every event and then learn it, in one learner; `target_only` sees only the target's events.

    `full_<strategy>` is the full learner with that adaptation strategy instead of the config's. For `full` with the
    first seed, each single signal ranks the same events.
    """
    target_only = arm == "target_only"
    if arm in STRATEGY_ARMS:
        settings = msgspec.structs.replace(
            settings,
            adaptation=msgspec.structs.replace(settings.adaptation, strategy=arm.removeprefix("full_")),
        )
    learner = make_learner(data, vectors, settings, seed, target_only)
    total = sum(e.domain == data.target for e in data.events)
    outcome = ArmOutcome(arm, seed, total)
    with_signals = arm == "full" and seed == settings.learner.seed
    signals = [ArmOutcome(name, seed, total) for name in SIGNAL_ARMS] if with_signals else []
    catalogue = learner.catalogues[learner.index[data.target]]
    at = done = 0
    for batch in micro_batches(e for e in data.events if not target_only or e.domain == data.target):
        facts = learner.learn(batch)
        for n, event in enumerate(batch):
            if event.domain == data.target:
                scored, warm = facts.of(n), at >= int(WARM_UP_SHARE * total)
                note(outcome, scored, at, warm)
                if warm:
                    _note_signals(signals, scored, at)
                at += 1
        if learner.waiting >= settings.intake.least_step:
            learner.end_batch()
        done += len(batch)
        if done // 1000 > (done - len(batch)) // 1000:
            progress(done)
    for one in (outcome, *signals):
        one.catalogue = int(catalogue.recommendable[: catalogue.size].sum())
    progress(len(data.events))
    return [outcome, *signals]


def note(outcome: ArmOutcome, scored: ScoredEvent, at: int, warm: bool) -> None:
    """Record what the arm predicts for the target's event number `at`; its rank if it is after the warm-up."""
    if scored.prediction is not None:
        outcome.prediction[at] = scored.prediction
    if not warm or scored.rank is None:
        return
    outcome.rank[at] = scored.rank
    outcome.recommended.update(scored.top)


def _note_signals(signals: list[ArmOutcome], scored: ScoredEvent, at: int) -> None:
    """Record where single signals rank the item of the target's event number `at`."""
    choices = scored.choices
    if choices is None:
        return
    for one in signals:
        values = choices.values[PLACES[one.arm]]
        # A signal's ten highest items are candidates. An item that is no candidate ranks after them.
        one.rank[at] = (
            len(values) if choices.chosen < 0 else int((values >= values[choices.chosen]).sum()) - 1
        )
        one.recommended.update(choices.rows[np.argsort(-values, kind="stable")[:TOP]].tolist())
