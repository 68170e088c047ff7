"""Each strategy changes small domain layers as worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.network.config import NetworkConfig
from models.network.two_tower import Network
from models.schema import Domain
from models.transfer.alignment import Critic
from models.transfer.domain_adapter import SHARED_EVENTS, DomainAdapter
from models.transfer.equations import bias_direction
from models.transfer.strategies import STRATEGIES, Strategy
from tests.support.learners.states import differences

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]
DIM = 3


class Bench:
    """Return an adapter on a small network whose layers are 1 for movies, 2 for books, 4 for games."""

    def __init__(self, domains: list[Domain] = DOMAINS, events: tuple[int, ...] = (1000, 1000, 1000)) -> None:
        generator = torch.Generator().manual_seed(0)
        self.network = Network(len(domains), 2, NetworkConfig(dim=DIM, hidden=4, recent=5), generator)
        self.adapter = DomainAdapter(
            domains, self.network.domain_layers, Critic(len(domains), DIM - 1, generator)
        )
        self.adapter.events[:] = events
        with torch.no_grad():
            for layer in self.network.domain_layers.values():
                for d, value in enumerate((1.0, 2.0, 4.0)[: len(domains)]):
                    layer[d] = value

    def values(self) -> list[float]:
        """Return the value of each domain, which all its parameters have."""
        theta = self.adapter.theta().detach()
        assert torch.equal(theta.min(dim=1).values, theta.max(dim=1).values)
        return theta[:, 0].tolist()

    def settle(
        self, strategy: Strategy, counts: tuple[int, ...] = (0, 256, 0), rate: float = 0.5
    ) -> list[float]:
        everywhere: list[Strategy] = [strategy] * len(self.adapter.events)
        self.adapter.settle(everywhere, np.array(counts), lambda _t: rate)
        return self.values()


def test_none_changes_nothing() -> None:
    assert Bench(events=(1000, 10, 1000)).settle("none") == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("strategy", ["share", "correct", "adversarial", "coral"])
def test_a_young_target_has_its_sources_layers(strategy: Strategy) -> None:
    """Equal weights of 1 and 4: 2.5."""
    assert Bench(events=(1000, SHARED_EVENTS, 1000)).settle(strategy) == [1.0, 2.5, 4.0]


def test_after_that_sharing_is_over() -> None:
    assert Bench(events=(1000, SHARED_EVENTS + 1, 1000)).settle("share") == [1.0, 2.0, 4.0]


def test_sharing_can_begin_anew() -> None:
    """Sharing can begin again for as many events, as in a trial, also over a restart."""
    bench = Bench()
    bench.adapter.share_anew(1)
    restarted = Bench()
    restarted.adapter.load(bench.adapter.state())
    for one in (bench, restarted):
        one.adapter.events[1] += SHARED_EVENTS
        assert one.settle("share") == [1.0, 2.5, 4.0]
        one.adapter.events[1] += 1
        with torch.no_grad():
            for layer in one.network.domain_layers.values():
                layer[1] = 2.0
        assert one.settle("share") == [1.0, 2.0, 4.0]


def test_correction_goes_half_way() -> None:
    """2 + (2.5 - 2) / 2 = 2.25"""
    assert Bench().settle("correct") == [1.0, 2.25, 4.0]


def test_sources_are_weighted_by_divergence() -> None:
    """Divergences 1 and 3: weights 3/4 and 1/4, so b_s = 1.75, and half way from 2 is 1.875."""
    bench = Bench()
    bench.adapter.divergence[1] = {0: 1.0, 2: 3.0}
    assert bench.adapter.weights(1) == pytest.approx({0: 0.75, 2: 0.25})
    assert bench.settle("correct") == [1.0, 1.875, 4.0]


def test_several_targets_at_once() -> None:
    """Books toward (1 + 4) / 2, games toward 1, the only other source: both from the values before."""
    assert Bench().settle("correct", counts=(0, 256, 256)) == [1.0, 2.25, 2.5]


def test_a_source_that_has_learned_nothing_has_no_weight() -> None:
    assert Bench(events=(0, 1000, 1000)).adapter.weights(1) == {2: 1.0}
    assert Bench(events=(0, 1000, 0)).adapter.weights(1) == {}
    assert Bench(events=(0, 100, 0)).settle("correct") == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("role", ["target", "both", "source"])
def test_one_domain_is_left_alone(strategy: Strategy, role: str) -> None:
    """Without sources there is no correction, no loss and no weight."""
    bench = Bench([Domain("books", role)], (10,))  # type: ignore[arg-type]
    assert bench.settle(strategy, (256,)) == [1.0]
    share, domain, vectors = np.ones(1), np.zeros(4, np.int64), torch.ones(4, DIM - 1)
    assert bench.adapter.correction([strategy], share).item() == 0.0
    assert bench.adapter.alignment([strategy], share, domain, vectors).item() == 0.0
    assert bench.adapter.measured([np.ones((3, DIM), np.float32)]) in ({}, {0: {}})
    assert bench.adapter.weights(0) == {}


def learned(bench: Bench, loss: float) -> None:
    """Learn 256 events of movies with this loss."""
    theta = bench.adapter.theta().detach()
    bench.adapter.learned(theta, np.zeros(256, np.int64), np.full(256, loss, np.float32))


def test_the_correction_term_moves_the_target_along_the_sources_way() -> None:
    """Movies were best at 1 and are at 3: the gradient of books is m_t / B times the weighted Δ/‖Δ‖, P parameters long.

    Games have no best yet, so their part of Δ is 0: Δ = 0.5 · 2 in every parameter.
    """
    bench = Bench()
    strategy: list[Strategy] = ["none", "correct", "none"]
    share = np.array([0.5, 0.25, 0.25])
    learned(bench, 0.0)
    assert bench.adapter.correction(strategy, share).item() == 0.0
    with torch.no_grad():
        for layer in bench.network.domain_layers.values():
            layer[0] = 3.0
    learned(bench, 1.0)
    bench.adapter.correction(strategy, share).backward()  # type: ignore[no-untyped-call]
    parameters = bench.adapter.theta().shape[1]
    expected = 0.25 * bias_direction(torch.ones(parameters), torch.zeros(parameters))[0]
    assert float(expected) == pytest.approx(0.25 / parameters**0.5)
    for layer in bench.network.domain_layers.values():
        assert layer.grad is not None
        torch.testing.assert_close(layer.grad[1], torch.full_like(layer.grad[1], float(expected)))
        assert not layer.grad[[0, 2]].any()
    assert bench.adapter.correction(["none", "share", "none"], share).item() == 0.0


def test_a_drift_of_the_source_starts_its_best_anew() -> None:
    bench = Bench()
    learned(bench, 0.0)
    with torch.no_grad():
        bench.network.item_bias_in[0] = 3.0
    strategy: list[Strategy] = ["none", "correct", "none"]
    share = np.array([0.5, 0.5, 0.0])
    assert bench.adapter.correction(strategy, share).item() > 0.0
    bench.adapter.forget_best(0)
    assert bench.adapter.correction(strategy, share).item() == 0.0


@pytest.mark.parametrize("strategy", ["adversarial", "coral"])
def test_alignment_concerns_the_target_and_its_sources(strategy: Strategy) -> None:
    """Games align with movies: gradients reach the items of both and not those of books."""
    bench = Bench()
    domain = np.repeat([0, 1, 2], 4)
    vectors = torch.randn(12, DIM - 1, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = bench.adapter.alignment(["none", "none", strategy], np.full(3, 1 / 3), domain, vectors)
    loss.backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    touched = vectors.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == [True] * 4 + [False] * 4 + [True] * 4


def test_measured_divergences() -> None:
    """Divergences are measured for each target and source: movies and games of books, movies of games."""
    bench = Bench(events=(10, 10, 10))
    rng = np.random.default_rng(0)
    near = rng.standard_normal((50, DIM)).astype(np.float32)
    bench.adapter.divergence = bench.adapter.measured([near, near, near + 2])
    assert bench.adapter.divergence[1][0] == pytest.approx(0.0, abs=1e-6)
    assert bench.adapter.divergence[1][2] == bench.adapter.divergence[2][0] > 0.5
    assert list(bench.adapter.divergence) == [1, 2]
    assert bench.adapter.weights(1)[0] > 0.9


def test_state_round_trip() -> None:
    one, two = Bench(), Bench(events=(0, 0, 0))
    learned(one, 1.0)
    one.adapter.divergence = one.adapter.measured([np.eye(3, dtype=np.float32) + d for d in range(3)])
    two.adapter.load(one.adapter.state())
    assert differences(one.adapter.state(), two.adapter.state()) == []
    assert one.adapter.weights(1) == two.adapter.weights(1)
