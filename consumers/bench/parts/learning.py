"""Make a learner, feed it, set its threads: the one place where contestants use the learner's API."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import islice

from consumers.bench.parts.stream import Stream
from consumers.config.schema import IntakeConfig
from consumers.service.stages.network_pace import NetworkPace
from models.arms.arm_comparison import ArmComparison
from models.schema import Interaction
from models.settings import LearningSettings
from models.text.encoder import load_encoder
from models.threads import use_one_thread

NETWORK_EVENTS = IntakeConfig().network_events
"""Events after which the network takes a step by default."""
TEXTS_AT_ONCE = 1_024


def make_arms(stream: Stream, threads: int = 1) -> ArmComparison:
    """Return learners that know every item and its text, with a target-only arm. threads: that compute."""
    use_one_thread()
    arms = ArmComparison(stream.domains, LearningSettings(threads=threads))
    words = {(item.domain, item.item_id): item.words() for item in stream.items if arms.put_item(item)}
    encoder, texts = load_encoder("hashing"), iter(words.items())
    while some := dict(islice(texts, TEXTS_AT_ONCE)):
        arms.put_text_vectors(dict(zip(some, encoder.encode(list(some.values())), strict=True)), idle=False)
    arms.put_text_vectors({}, idle=True)
    gc.freeze()  # as `run` does at its start: the stream in memory would be looked through again and again
    return arms


def learn(
    arms: ArmComparison, events: Sequence[Interaction], batch: int, pace: NetworkPace | None = None
) -> None:
    """Score and learn all events in micro-batches of `batch`, with a network step when one is due.

    pace: says when, as in `run`. None: whenever 1,024 events wait, because time stands still.
    """
    pace = pace or NetworkPace(IntakeConfig(), lambda: 0.0)
    for start in range(0, len(events), batch):
        step = pace.due(arms.full.waiting)
        arms.learn(events[start : start + batch], step=step)
        if step:
            pace.stepped()
        arms.full.rows.forget_evictions()
