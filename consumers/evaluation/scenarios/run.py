"""Run a simulated world through the learner of `run`, and keep every arm's predictions of the target's events."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config.schema import Settings
from consumers.datasets.record import Sent
from consumers.encoding.open_encoder import opened_for_command
from consumers.evaluation.scenarios.world import TARGET
from consumers.evaluation.workers import Tell
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.service.text_encoding import encode
from consumers.simulator.event_stream import Simulator, item_id, user_id
from consumers.simulator.world_settings import WorldSettings
from models.adaptation.adaptation_loop import Notice
from models.arms.arm_comparison import ArmComparison
from models.assessment.prequential import NDCG_LOSS, Prequential, ndcg_losses
from models.learning.learner import Learner
from models.ranking.proposal import POPULARITY_ARM
from models.schema import Domain, Interaction, Item

Floats = NDArray[np.float64]
BIAS_EVENTS = 2_000
"""Latest events of the target on which the learned bias is measured: the bias corrects what users rate."""
PAIRS = 3_000
"""Random pairs of user and item of the target on which the bias is measured too.

Users choose what they like, and no rating tells about items that they do not choose. A learner that knows only part of
a taste may be right about chosen items and too high about the others.
"""
EARLY = 5
"""A user or an item with fewer earlier events in the target is cold."""


class ScenarioPass(NamedTuple):
    """Defines what one process runs."""

    world: WorldSettings
    settings: bytes
    """The config as JSON. The learner's seed is that of the world."""
    adapt: bool
    """Whether the adaptation loop and the target-only learner run."""
    ranked: bool
    """Whether the target's events are ranked, which takes several times longer."""


class Happening(NamedTuple):
    """A notice of the adaptation loop, the number of the event that followed it, and the target's events so far."""

    position: int
    after: int
    notice: Notice


class Trace(NamedTuple):
    """One row for each event of the target, in order. Losses are by (metric, arm), nan where there is none."""

    position: NDArray[np.int64]
    """The position of the event in the stream."""
    losses: dict[tuple[str, str], Floats]
    """Squared errors of ratings, 1 - NDCG@10 of ranks."""
    honest: Floats
    """Squared errors of the simulator's own mean, clipped to the range."""
    user_events: NDArray[np.int64]
    item_events: NDArray[np.int64]
    """Earlier events of the user, and of the item, in the target."""
    happenings: list[Happening]
    bias: float
    """Mean of (learned minus true) over the target's `BIAS_EVENTS` events, each before it is learned.

    The truth is the mean of the ratings that users give. Values beyond the scale are cut to its ends.
    """
    bias_all: float
    """The bias at the end of the stream, over `PAIRS` random pairs."""


class LossRecorder(Prequential):
    """Keeps every loss of the target beside the means. `at`: the row of the event that is judged."""

    def __init__(self, events: int) -> None:
        super().__init__()
        self.events, self.at = events, 0
        self.kept: dict[tuple[str, str], Floats] = {}

    def add(self, rows: NDArray[np.int64], values: Floats) -> None:
        super().add(rows, values)
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            domain, metric, arm = self.keys[row]
            if domain == TARGET and not np.isnan(value):
                if (metric, arm) not in self.kept:
                    self.kept[metric, arm] = np.full(self.events, np.nan)
                self.kept[metric, arm][self.at] = value


def run_pass(run: ScenarioPass, tell: Tell) -> Trace:
    """Score, judge and learn every event, as `run` does; `tell` is called with their number."""
    settings = msgspec.json.decode(run.settings, type=Settings)
    simulator = Simulator(run.world)
    arms = _arms(run, settings, simulator)
    target = simulator.world.number[TARGET]
    rows = sum(int((draw.domain == target).sum()) for draw in simulator.world.draws())
    recorder = arms.prequential = LossRecorder(rows)
    position, honest = np.zeros(rows, np.int64), np.zeros(rows)
    user_events, item_events = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    happenings: list[Happening] = []
    bias: list[float] = []
    had: dict[str, int] = {}
    at = 0
    for n, event in enumerate(_decoded(simulator.events(), run.world)):
        assert isinstance(event, Interaction)
        assert event.value is not None
        is_target = event.domain == TARGET
        if is_target:
            recorder.at, position[at] = at, n
            honest[at] = (event.value - simulator.expected(TARGET, event.user, event.item, n)) ** 2
            # The ids of users and items differ.
            user_events[at], item_events[at] = had.get(event.user, 0), had.get(event.item, 0)
            had[event.user], had[event.item] = user_events[at] + 1, item_events[at] + 1
        if is_target and at >= rows - BIAS_EVENTS:
            bias.append(
                _predicted(arms.full, event.user, event.item)
                - simulator.given(TARGET, event.user, event.item, n)
            )
        happenings += [Happening(n, at, notice) for notice in arms.learn([event])]
        assert arms.latest is not None
        popular = ndcg_losses(arms.latest.rank[:, POPULARITY_ARM])
        if is_target and not np.isnan(popular).any():
            recorder.add(np.array([recorder.row(TARGET, NDCG_LOSS, "popularity")]), popular)
        if arms.full.waiting >= settings.intake.least_step:
            arms.end_batch()
        at += is_target
        if n % 500 == 0:
            tell(n)
    return Trace(
        position, recorder.kept, honest, user_events, item_events, happenings,
        float(np.mean(bias)), bias_of_all(arms.full, simulator),
    )  # fmt: skip


def _arms(run: ScenarioPass, settings: Settings, simulator: Simulator) -> ArmComparison:
    """Make the learners of `run`, with all items. Only the target gets lists, and only if it is ranked."""
    arms = ArmComparison(
        [
            Domain(
                spec.name,
                "target" if spec.name == TARGET else "source",
                spec.rating_range,
                recommend=run.ranked and spec.name == TARGET,
                catalogue="required",
            )
            for spec in run.world.domains
        ],
        msgspec.structs.replace(
            settings.learning(),
            seed=run.world.seed,
            compare=run.adapt,
            adaptation=msgspec.structs.replace(settings.adaptation, enabled=run.adapt),
        ),
    )
    items = [item for item in _decoded(simulator.items(), run.world) if isinstance(item, Item)]
    for item in items:
        arms.put_item(item)
    texts = {(item.domain, item.item_id): item.words() for item in items}
    arms.put_text_vectors(encode(opened_for_command(settings.text_encoder), texts), idle=True)
    return arms


def _decoded(records: Iterator[Sent], world: WorldSettings) -> Iterator[Interaction | Item]:
    topics: Any = {
        f"{kind}.{d.name}": (d.name, kind) for d in world.domains for kind in ("interactions", "items")
    }
    domains = [Domain(d.name, rating_range=d.rating_range) for d in world.domains]
    decoder = Decoder(topics, domains, clock=lambda: math.inf)  # the world has its own time
    for sent in records:
        decoded = decoder.decode(Record(f"{sent.kind}.{sent.domain}", 0, 0, -1, sent.key, sent.value))
        assert isinstance(decoded, Interaction | Item), decoded
        yield decoded


def _predicted(learner: Learner, user: str, item: str) -> float:
    """Return what the learner would predict in the target now."""
    domain = learner.index[TARGET]
    low, high = learner.domains[domain].rating_range
    return min(max(learner.rating_now(domain, user, item).total, low), high)


def bias_of_all(learner: Learner, simulator: Simulator) -> float:
    """Return mean prediction minus mean given rating after the last event, over `PAIRS` random pairs."""
    world, last = simulator.world, simulator.settings.events - 1
    rng = np.random.default_rng([world.settings.seed, 3])
    truth = world.domains[world.number[TARGET]]
    users = rng.integers(len(truth.people), size=PAIRS)
    items = rng.integers(truth.spec.items, size=PAIRS)
    predicted = [
        _predicted(learner, user_id(person), item_id(TARGET, row))
        for person, row in zip(truth.people[users].tolist(), items.tolist(), strict=True)
    ]
    return float(np.mean(predicted - world.given(TARGET, users, items, last)))
