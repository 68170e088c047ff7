"""In a trial the shadow network differs from the network in use only by its strategy."""

from __future__ import annotations

import pytest
import torch

from models.network.search.shadow_network import ShadowNetwork
from models.network.trainer import NetworkTrainer
from models.schema import Domain
from models.tables.replay_buffer import Events
from models.transfer.domain_adapter import SHARED_EVENTS
from models.transfer.equations import source_mean
from models.transfer.strategies import READY_EVENTS, STRATEGIES, Strategy, candidates
from tests.support.learners.network_world import World
from tests.support.learners.strategy_search_world import DOMAINS


class Tried:
    """A shadow with one strategy beside a champion with another, for a target that is ready for trials."""

    def __init__(self, current: Strategy, candidate: Strategy, domains: list[Domain] = DOMAINS) -> None:
        self.world = World(domains=domains, strategy=current)
        self.world.learn(2)
        self.champion = self.world.learner.trainer
        self.champion.adapter.events[1] += READY_EVENTS
        shadow = ShadowNetwork(self.champion, self.world.learner.items)
        shadow.try_out(1, candidate)
        self.shadow = shadow.trainer

    def learn(self, steps: int) -> None:
        for _ in range(steps):
            batch = Events(*self.world.batch())
            layout = self.world.learner._draw(batch)
            for trainer in (self.champion, self.shadow):
                trainer.descend(batch, trainer.gradients(layout))

    def gap(self, of: NetworkTrainer) -> float:
        """Return the distance of the target's layers from its sources'."""
        theta = of.adapter.theta().detach()
        return float((theta[1] - source_mean(theta, of.adapter.weights(1))).norm())


@pytest.mark.parametrize("current", STRATEGIES)
def test_whatever_is_tried_can_err_otherwise(current: Strategy) -> None:
    """A strategy that is not tried would learn what the champion learns, bit for bit."""
    for candidate in set(STRATEGIES) - {current}:
        tried = Tried(current, candidate)
        tried.learn(3)
        one, other = (trainer.live()["network"] for trainer in (tried.champion, tried.shadow))
        alike = all(torch.equal(one[name], other[name]) for name in one)
        assert alike == (candidate not in candidates(current)), candidate


def test_a_trial_of_sharing_begins_with_the_sources_layers() -> None:
    """In a trial of sharing the target has its sources' layers for the first events, then its own."""
    tried, rounding = Tried("none", "share", DOMAINS[:2]), 1e-5
    last = int(tried.champion.adapter.events[1]) + SHARED_EVENTS
    while True:
        tried.learn(1)
        if tried.champion.adapter.events[1] > last:
            break
        assert tried.gap(tried.shadow) < rounding < tried.gap(tried.champion)
    assert rounding < tried.gap(tried.shadow) < tried.gap(tried.champion)


def test_a_trial_of_correction_draws_the_target_to_its_sources() -> None:
    """The shadow, which corrects, ends nearer to the sources than the champion, which does not."""
    tried = Tried("none", "correct")
    tried.learn(6)
    assert 0 < tried.gap(tried.shadow) < tried.gap(tried.champion)
