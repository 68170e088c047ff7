"""Learn history into a first checkpoint, with the learners of `run` and in the same order.

Items come first, then every event in time order, with a network step every 256 events. The state holds no
offsets, so `run` reads its log from the beginning: history is for what is NOT in the log. An event in both is
learned twice, unless its event_id is among the latest `intake.dedup_events` of the history.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rich.progress import Progress

from consumers.pretraining.holdout import Figures, grid_of, measure
from consumers.service.pipeline import Pipeline
from consumers.service.text_encoding import encode
from models.arms.arm_comparison import ArmComparison
from models.learning.micro_batches import micro_batches
from models.schema import Interaction, Item
from models.text.encoder import TextEncoder

CHUNK_TEXTS = 256


def put_items(arms: ArmComparison, items: Sequence[Item], encoder: TextEncoder, bars: Progress) -> None:
    """Put all items and encode their text, domains in turn: the projection is fitted on the first few thousand."""
    for item in items:
        arms.put_item(item)
    latest = {(item.domain, item.item_id): item.words() for item in items}
    by_domain: dict[str, list[tuple[str, str]]] = {}
    for key, text in latest.items():
        if text.strip():
            by_domain.setdefault(key[0], []).append(key)
    keys = [key for turn in itertools.zip_longest(*by_domain.values()) for key in turn if key is not None]
    task = bars.add_task("encoding item text", total=len(keys), unit="texts")
    for start in range(0, len(keys), CHUNK_TEXTS):
        chunk = keys[start : start + CHUNK_TEXTS]
        vectors = encode(encoder, {key: latest[key] for key in chunk})
        arms.put_text_vectors(vectors, idle=start + CHUNK_TEXTS >= len(keys))
        bars.advance(task, len(chunk))
    arms.full.rows.forget_evictions()  # nothing was published, so nothing has to be deleted


def fit(
    trainee: Pipeline, events: Sequence[Interaction], first: int, final_fit: bool, bars: Progress
) -> dict[str, Figures]:
    """Learn the events before `first`, measure the others frozen, and with `final_fit` learn them too."""
    arms = trainee.arms
    learned, held_out = events[:first], events[first:]
    _learn(trainee, learned, "learning", bars)
    task = bars.add_task("scoring the held out", total=len(held_out), unit="events")
    grids = {name: grid_of(learned, name) for name in arms.full.index}
    figures = measure(arms.full, held_out, grids, lambda n: bars.update(task, completed=n))
    if final_fit:
        _learn(trainee, held_out, "learning the held out", bars)
    return figures


def _learn(trainee: Pipeline, events: Sequence[Interaction], name: str, bars: Progress) -> None:
    arms, limit = trainee.arms, trainee.settings.intake.least_step
    task = bars.add_task(name, total=len(events), unit="events")
    done = 0
    for batch in micro_batches(events):
        for event in batch:  # `run` will skip it if it comes again
            trainee.dedup.repeated(event.domain, event.event_id, event.user)
        arms.learn(batch)
        done += len(batch)
        if arms.full.waiting >= limit:
            arms.end_batch()
            arms.full.rows.forget_evictions()
            bars.update(task, completed=done)
    arms.end_batch()
    arms.full.rows.forget_evictions()
    bars.update(task, completed=len(events))
