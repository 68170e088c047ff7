"""On synthetic data the network learns, forgets on request, and resumes bit for bit."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from models.schema import Domain
from models.transfer.strategies import PLANS, STRATEGIES, Strategy
from tests.support.learners.network_world import ITEMS, TEXT, USERS, World

torch.set_num_threads(1)


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in flat(value, f"{path}/{key}").items()}
    return {path: state.numpy() if isinstance(state, torch.Tensor) else state}


def same_state(a: dict[str, Any], b: dict[str, Any]) -> None:
    left, right = flat(a), flat(b)
    assert left.keys() == right.keys()
    for key, value in left.items():
        np.testing.assert_array_equal(value, right[key], key)


def test_the_choice_head_learns_tastes_in_both_domains(trained: World) -> None:
    """A user's own kind of item gets the higher affinity, in the target as in the source."""
    for domain in (0, 1):
        scores = trained.learner.affinity(domain, list(range(USERS)))
        own = (np.arange(USERS)[:, None] % 2) == (np.arange(ITEMS)[None, :] % 2)
        assert scores[own].mean() > scores[~own].mean() + 1.0


def test_affinity_is_the_dot_product_of_the_published_vectors(trained: World) -> None:
    learner = trained.learner
    users: list[int | None] = [3, None, 7]
    expected = learner.user_vectors(users) @ learner.item_vectors(1).T
    np.testing.assert_array_equal(learner.affinity(1, users), expected)
    assert learner.item_vectors(1).dtype == np.float32
    assert learner.user_vectors(users).shape == (3, 8)


def test_the_rating_head_learns_residuals(trained: World) -> None:
    """The rating head learns residuals of -0.5 in movies and 0.5 in books."""
    assert trained.learner.rating_residual(0, 3, 5, None) == pytest.approx(-0.5, abs=0.2)
    assert trained.learner.rating_residual(1, 3, 5, None) == pytest.approx(0.5, abs=0.2)


def test_numpy_scoring_equals_the_torch_forward(trained: World) -> None:
    learner = trained.learner
    u, v = learner.user_vectors([3]), learner.item_vectors(1)[[5]]
    with torch.no_grad():
        expected = learner.trainer.network.ratings(
            torch.from_numpy(u), torch.from_numpy(v), torch.tensor([1])
        )
    assert learner.rating_residual(1, 3, 5, None) == pytest.approx(expected.item(), abs=1e-5)


def test_an_unknown_item_is_its_text(trained: World) -> None:
    """An item without a row scores as a row that was never learned with the same text."""
    row, _ = trained.catalogues[1].touch("new")
    vector = np.ones(TEXT, np.float32)
    trained.catalogues[1].set_vector(row, vector)
    trained.learner.touch_item(1, row)
    assert len(trained.learner.item_vectors(1)) == trained.catalogues[1].size
    by_row = trained.learner.rating_residual(1, 2, row, None)
    assert trained.learner.rating_residual(1, 2, None, vector) == pytest.approx(by_row, abs=1e-5)


def test_a_user_without_a_row_or_history_is_no_error(trained: World) -> None:
    assert np.isfinite(trained.learner.user_vectors([None, 99])).all()
    assert np.isfinite(trained.learner.rating_residual(0, None, None, None))


def test_one_more_item_shows_at_once() -> None:
    """The vector follows the history without a step in between."""
    world = World()
    world.learn(50)
    before = world.learner.user_vectors([4])
    world.history.add(4, 0, 1, world.clock)
    assert not np.array_equal(before, world.learner.user_vectors([4]))


def test_scoring_changes_nothing() -> None:
    """Two learners end in the same state, although one scores between steps."""
    quiet, asked = World(), World()
    for _ in range(5):
        for world in (quiet, asked):
            world.learn(1)
        asked.learner.affinity(0, [1, None])
        asked.learner.rating_residual(1, 2, 3, None)
        asked.learner.domain_bias(1)
    quiet.learner.affinity(0, [1])
    quiet.learner.affinity(1, [1])
    asked.learner.affinity(1, [1])
    same_state(quiet.learner.state(), asked.learner.state())


def test_same_seed_same_result_whatever_the_global_generators_do() -> None:
    a = World()
    a.learn(10)
    torch.manual_seed(99)
    b = World()
    b.learn(10)
    same_state(a.learner.state(), b.learner.state())


def test_resume_is_bit_for_bit() -> None:
    """A state after 20 steps, loaded into a fresh learner, is equal in every array after 50 more steps."""
    world = World()
    world.learn(20)
    world.learner.drop_item(0, 5)
    world.learner.drop_user(4)
    twin = world.another()
    twin.load(world.learner.state())
    same_state(world.learner.state(), twin.state())
    for _ in range(50):
        batch = world.batch()
        assert world.learner.begin(*batch)() == twin.begin(*batch)()
    same_state(world.learner.state(), twin.state())
    np.testing.assert_array_equal(world.learner.affinity(1, [1, 2]), twin.affinity(1, [1, 2]))


def test_a_reset_row_is_clean() -> None:
    """Replayed events of a reused row are gone; an item also loses its table row and optimizer state."""
    world = World()
    world.learn(60)
    learner = world.learner
    learner.drop_user(4)
    world.history.drop_user(4)
    np.testing.assert_array_equal(learner.user_vectors([4]), learner.user_vectors([None]))
    learner.drop_item(1, 7)
    fresh = World(dim=8)
    fresh.learner.trainer.network.load_state_dict(learner.trainer.network.state_dict())
    np.testing.assert_allclose(learner.item_vectors(1)[7], fresh.learner.item_vectors(1)[7], atol=1e-5)
    forgotten = world.clock
    world.learn(5)
    drawn = learner.buffer.sample(5000, np.random.default_rng(0))
    assert drawn.time.min() < forgotten < drawn.time.max()
    old = drawn.time <= forgotten
    assert not ((drawn.domain == 1) & (drawn.item == 7) & old).any()
    assert not ((drawn.recent[:, :, 0] == 1) & (drawn.recent[:, :, 1] == 7) & old[:, None]).any()
    assert not ((drawn.user == 4) & old).any()


def test_a_non_finite_loss_is_skipped_and_counted() -> None:
    world = World()
    world.learn(3)
    before = world.learner.state()
    with torch.no_grad():
        world.learner.trainer.network.user_bias[0] = np.inf
    broken = {k: v.clone() for k, v in world.learner.trainer.network.state_dict().items()}
    assert np.isnan(world.learner.begin(*world.batch())())
    assert (world.learner.skipped, world.learner.steps) == (1, 3)
    for name, value in world.learner.trainer.network.state_dict().items():
        assert torch.equal(value, broken[name])
    known = before["items"]["table"]["values"]
    np.testing.assert_array_equal(known[:40], world.learner.state()["items"]["table"]["values"][:40])


def test_a_non_finite_residual_counts_as_a_click() -> None:
    world = World()
    domain, user, item, residual, time, recent = world.batch()
    residual[:] = np.inf
    assert np.isfinite(world.learner.begin(domain, user, item, residual, time, recent)())


def test_clicks_alone_leave_the_rating_head_untouched() -> None:
    world = World()
    before = world.learner.trainer.network.rating_in.detach().clone()
    world.learn(5, clicks=True)
    assert torch.equal(before, world.learner.trainer.network.rating_in)


def test_a_young_target_starts_from_its_source() -> None:
    """With a huge κ the target's bias vectors stay near the source's; with 0 they part."""
    near, far = World(kappa=1e12), World(kappa=0.0)
    for world in (near, far):
        world.learn(20)
    assert near.learner.domain_bias(1)["item_in_gap"] < 0.2 * far.learner.domain_bias(1)["item_in_gap"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_learns_and_resumes(strategy: Strategy) -> None:
    """Two targets, one of them also a source, have finite losses, the right rate, and the state law."""
    domains = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]
    world = World(domains=domains, strategy=strategy)
    assert np.isfinite(world.learn(12)).all()
    assert (world.learner.adaptation_rate(1) > 0) == PLANS[strategy].correct
    assert sum(world.learner.source_weights(1).values()) == pytest.approx(1.0)
    assert set(world.learner.divergence(2)) == {0}
    twin = world.another()
    twin.load(world.learner.state())
    for _ in range(6):
        batch = world.batch()
        assert world.learner.begin(*batch)() == twin.begin(*batch)()
    same_state(world.learner.state(), twin.state())


def test_strategies_differ() -> None:
    """No two strategies end with the same parameters."""
    ends = []
    for strategy in STRATEGIES:
        world = World(strategy=strategy)
        world.learn(30)
        ends.append(world.learner.trainer.network.item_bias_in.detach().clone())
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(ends, 2))


def test_losses_are_from_before_learning() -> None:
    """A batch that is learned twice has a loss for each event, the second time a lower one."""
    world = World(item_rate=0.5)
    batch = world.batch()
    world.learner.begin(*batch)()
    before = world.learner.trainer.event_losses.copy()
    assert before.shape == (32,)
    for _ in range(10):
        world.learner.begin(*batch)()
    assert world.learner.trainer.event_losses.mean() < before.mean()


def test_a_report_does_not_change_what_is_learned() -> None:
    """Divergence asked for before the first step is computed and not kept."""
    quiet, asked = World(), World()
    assert asked.learner.divergence(1)
    assert asked.learner.trainer.adapter.divergence == {1: {}}
    for world in (quiet, asked):
        world.learn(3)
    same_state(quiet.learner.state(), asked.learner.state())


def test_vectors_of_many_users_are_those_of_each(trained: World) -> None:
    """Vectors of users with many, few and no recent items are equal in one batch and alone, up to rounding."""
    users: list[int | None] = [3, None, 7, 99, 12]
    recent = trained.history.newest(users, 30)
    recent[2, 1:, 0] = -1.0  # one item is left
    together = trained.learner.user_vectors_of(recent)
    assert together.shape == (5, 8)
    assert together.dtype == np.float32
    for n in range(5):
        alone = trained.learner.user_vectors_of(recent[n : n + 1])[0]
        np.testing.assert_allclose(together[n], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(together[1], together[3])
    np.testing.assert_array_equal(together[0], trained.learner.user_vectors_of(recent)[0])


def test_rating_residuals_of_many_events_are_those_of_each(trained: World) -> None:
    """Residuals of both domains are equal in one pass and alone, up to rounding."""
    learner, domain, item = trained.learner, np.array([0, 1, 1, 0]), [5, 5, 8, 2]
    users = learner.user_vectors([3, 3, 7, None])
    items = np.stack([learner.item_vectors(int(d))[i] for d, i in zip(domain, item, strict=True)])
    together = learner.rating_residuals(users, items, domain)
    alone = [
        learner.rating_residual(int(d), user, i, None)
        for d, user, i in zip(domain, [3, 3, 7, None], item, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_a_state_with_user_rows_still_loads(trained: World) -> None:
    """The table of users of earlier versions is ignored."""
    state = trained.learner.state()
    old = state | {"users": {"values": np.ones((3, 7), np.float32), "sums": np.ones(3, np.float32)}}
    twin = trained.another()
    twin.load(old)
    same_state(twin.state(), state)


def test_many_waiting_events_are_learned_in_several_steps() -> None:
    """A young network takes steps of 256, an older one larger ones; every event is learned once."""
    world = World()
    batch = world.batch(1_100)
    assert np.isfinite(world.learner.begin(*batch)())
    assert world.learner.steps == 4
    assert world.learner.buffer.added == world.learner.trainer.adapter.events.sum() == 1_100
    world.learner.trainer.adapter.events[:] = 100_000
    assert np.isfinite(world.learner.begin(*world.batch(1_100))())
    assert world.learner.steps == 5
