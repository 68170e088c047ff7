"""The rating model's parts add up, scoring is pure, memory is bounded, and it learns."""

from typing import Any

import numpy as np
import pytest

from models.rating.events import RatingParts
from models.rating.model import RatingModel
from models.schema import Domain
from tests.support.learners import single_ratings
from tests.support.learners.single_ratings import ResolvedEvent

DIM = 64
DOMAINS = [
    Domain(name="films", role="source", rating_range=(1.0, 5.0)),
    Domain(name="books", role="target", rating_range=(1.0, 5.0)),
    Domain(name="wines", role="both", rating_range=(0.0, 100.0)),
]


def world(n: int, seed: int = 0, text: bool = True) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Users with a bias and a taste on the items' vectors, the same in all domains."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(3, 40, DIM)).astype(np.float32) / 8
    tastes = rng.normal(size=(30, DIM)) * 0.6
    generous, good = rng.normal(size=30) * 0.5, rng.normal(size=(3, 40)) * 0.4
    events = []
    for k in range(n):
        u, d, i = int(rng.integers(30)), int(rng.integers(3)), int(rng.integers(40))
        y = 3 + generous[u] + good[d, i] + tastes[u, :8] @ vectors[d, i, :8] * 2 + rng.normal() * 0.3
        y = float(np.clip(y, 1, 5))
        value = (y - 1) * 25 if d == 2 else y
        vector = vectors[d, i] if text else np.zeros(DIM, np.float32)
        events.append({"domain": d, "user": u, "item": i, "vector": vector, "time": 60.0 * k, "value": value})
    return events, vectors


def resolved(e: dict[str, Any]) -> ResolvedEvent:
    return ResolvedEvent(e["domain"], e["user"], e["item"], e["vector"], e.get("context", ()), e["time"])


def score(model: RatingModel, e: dict[str, Any], external: float = 0.0) -> RatingParts:
    return single_ratings.predict(model, resolved(e), external)


def learn(model: RatingModel, e: dict[str, Any], external: float = 0.0) -> float:
    """Predict, then learn; return the error."""
    parts = score(model, e, external)
    single_ratings.learn(model, resolved(e), e["value"], parts)
    return float(e["value"] - parts.total)


def flat(state: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, list) and value and isinstance(value[0], dict | np.ndarray):
            value = {str(n): part for n, part in enumerate(value)}  # noqa: PLW2901
        out.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return out


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    a, b = flat(one), flat(two)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


@pytest.fixture
def trained() -> tuple[RatingModel, list[dict[str, Any]]]:
    events, _ = world(600)
    model = RatingModel(DOMAINS, DIM)
    for e in events[:500]:
        learn(model, e)
    return model, events[500:]


def test_contributions_add_up(trained: tuple[RatingModel, list[dict[str, Any]]]) -> None:
    model, events = trained
    parts = score(model, events[0])
    assert sum(parts.named().values()) == parts.total
    assert parts.taste != 0
    assert parts.user != 0


def test_scoring_changes_nothing_and_creates_no_row(
    trained: tuple[RatingModel, list[dict[str, Any]]],
) -> None:
    model, events = trained
    before = model.state()
    zero = np.zeros(DIM, np.float32)
    for user, item in ((None, None), (10_000, 10_000), (3, None), (None, 3)):
        single_ratings.predict(model, ResolvedEvent(1, user, item, zero, ("new",), 9e9), 0.5)
        if item is not None:
            model.item_biases(1, np.array([item]), zero[None])
    score(model, events[0])
    assert same(before, model.state())


def test_before_the_first_event_the_middle_of_the_range() -> None:
    model = RatingModel(DOMAINS, DIM)
    zero = np.zeros(DIM, np.float32)
    assert model.mean(2) == 50.0
    assert single_ratings.predict(model, ResolvedEvent(2, None, None, zero, (), 0.0)).total == 50.0
    assert single_ratings.predict(model, ResolvedEvent(0, None, None, zero, (), 0.0)).total == pytest.approx(
        3.0
    )


def test_it_learns_biases_and_taste() -> None:
    """Late errors are far below those of the running mean."""
    events, _ = world(6000)
    model = RatingModel(DOMAINS, DIM)
    errors = [learn(model, e) for e in events if e["domain"] != 2]
    values = [e["value"] for e in events if e["domain"] != 2]
    assert np.std(errors[-1000:]) < 0.7 * np.std(values)


def test_a_source_tells_of_a_new_target_user() -> None:
    """A user's first target events are predicted better when their source events were learned."""
    events, _ = world(5000)
    target = [e for e in events if e["domain"] == 1]
    source = [e for e in events if e["domain"] == 0]
    seen, first = {}, []
    for e in target:
        seen[e["user"]] = seen.get(e["user"], 0) + 1
        if seen[e["user"]] <= 5:
            first.append(e)
    both, alone = RatingModel(DOMAINS, DIM), RatingModel(DOMAINS, DIM)
    for e in source:
        learn(both, e)
    a = np.square([learn(both, e) for e in first]).mean()
    b = np.square([learn(alone, e) for e in first]).mean()
    assert a < 0.8 * b


def test_a_useful_network_gets_weight_and_a_useless_one_none() -> None:
    events, _ = world(3000, text=False)
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=len(events)) * 0.5
    useful, useless = RatingModel(DOMAINS[:2], DIM), RatingModel(DOMAINS[:2], DIM)
    for e, h in zip(events, hidden, strict=True):
        if e["domain"] == 2:
            continue
        told = {**e, "value": e["value"] + h}
        learn(useful, told, external=2 * h)
        learn(useless, e, external=2 * h)
    e = next(e for e in events if e["domain"] == 1)
    assert score(useful, e, 1.0).external == pytest.approx(0.5, abs=0.1)
    assert score(useless, e, 1.0).external == pytest.approx(0.0, abs=0.1)
    assert score(useful, e).external == 0.0


def test_context_is_learned_and_stays_out_of_the_domain_terms() -> None:
    events, _ = world(2000, text=False)
    model = RatingModel(DOMAINS[:2], DIM)
    for n, e in enumerate(e for e in events if e["domain"] != 2):
        late = n % 2 == 0
        learn(model, {**e, "context": ("late",) if late else (), "value": e["value"] + 0.5 * late})
    e = {**events[0], "domain": 1}
    assert score(model, {**e, "context": ("late",)}).context > 0.3
    assert set(model.domain_terms(1)) == {"domain:books"}  # 4,096 contexts would be too many for a dashboard


def test_a_dropped_user_is_as_new(trained: tuple[RatingModel, list[dict[str, Any]]]) -> None:
    model, _ = trained
    zero = np.zeros(DIM, np.float32)
    model.drop_user(3)
    known = single_ratings.predict(model, ResolvedEvent(1, 3, 5, zero, (), 0.0))
    new = single_ratings.predict(model, ResolvedEvent(1, None, 5, zero, (), 0.0))
    assert known == new
    assert known.user == known.mood == known.taste == known.popularity == known.crowd == 0.0


def test_a_dropped_item_is_as_new(trained: tuple[RatingModel, list[dict[str, Any]]]) -> None:
    model, events = trained
    e = events[0]
    model.drop_item(e["domain"], e["item"])
    parts = score(model, e)
    assert parts == score(model, {**e, "item": None})
    assert parts.item == 0.0


def test_item_bias_is_text_plus_record(trained: tuple[RatingModel, list[dict[str, Any]]]) -> None:
    model, events = trained
    e = events[0]
    parts = score(model, e)
    told = model.item_biases(e["domain"], np.array([e["item"]]), e["vector"][None])
    assert told.tolist() == pytest.approx([parts.item + parts.text])


def test_the_scale_of_ratings_does_not_matter() -> None:
    """The same stream on 1 … 5 and on 0 … 100 has the same predictions, mapped."""
    events, _ = world(400)
    small = RatingModel([Domain(name="a", rating_range=(1.0, 5.0))], DIM)
    large = RatingModel([Domain(name="a", rating_range=(0.0, 100.0))], DIM)
    for e in events:
        y = e["value"] / 25 + 1 if e["domain"] == 2 else e["value"]
        a = learn(small, {**e, "domain": 0, "value": y})
        b = learn(large, {**e, "domain": 0, "value": (y - 1) * 25})
        assert b == pytest.approx(25 * a, abs=1e-6)


def test_state_round_trips_bit_for_bit(trained: tuple[RatingModel, list[dict[str, Any]]]) -> None:
    one, events = trained
    two = RatingModel(DOMAINS, DIM)
    two.load(one.state())
    assert same(one.state(), two.state())
    for e in events:
        assert learn(one, e) == learn(two, e)
    assert same(one.state(), two.state())


def test_memory_is_bounded_by_the_rows() -> None:
    """Ten times more users through the same rows: no more state than after the first."""
    model = RatingModel(DOMAINS, DIM)
    zero = np.zeros(DIM, np.float32)
    sizes = []
    for n in range(1000):
        row = n % 10
        if n >= 10:
            model.drop_user(row)
            model.drop_item(0, row)
        event = ResolvedEvent(0, row, row, zero, (), 0.0)
        single_ratings.learn(model, event, 4.0, single_ratings.predict(model, event))
        sizes.append(sum(np.asarray(v).size for v in flat(model.state()).values()))
    assert sizes[-1] == sizes[99]


def test_no_nan_without_any_text_and_far_apart_times() -> None:
    events, _ = world(300, text=False)
    model = RatingModel(DOMAINS, DIM)
    errors = [learn(model, {**e, "time": e["time"] * 1e6}) for e in events]
    assert np.isfinite(errors).all()
