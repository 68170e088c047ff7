"""The bias regression keeps the laws of its steps and memory, and passes River's checks of an estimator."""

from collections.abc import Callable
from typing import Any

import pytest
from river.checks import yield_checks

from models.rating.bias import DRIFT, PRIOR_STRENGTH, BiasRegression, inputs
from models.rating.named_cells import NamedCells
from models.rating.row_cells import RowCells

PEOPLE = {name: n for n, name in enumerate(["u", "v", *(f"u{n}" for n in range(400))])}
THINGS = {name: n for n, name in enumerate(["i", "u", "v", *(f"i{n}" for n in range(400))])}


def by_row() -> BiasRegression:
    return BiasRegression(storage=lambda: RowCells(["a", "b", "c"], PEOPLE, [THINGS, THINGS, THINGS]))


STORAGES = [pytest.param(BiasRegression, id="by name"), pytest.param(by_row, id="by row")]
Make = Callable[[], BiasRegression]

CHECKS = list(yield_checks(BiasRegression()))


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[check.__name__ for check in CHECKS])
def test_river_takes_it_for_one_of_its_own(number: int) -> None:
    """The model passes River's checks: cloning, pickling, changing features, purity, bounded memory."""
    CHECKS[number](BiasRegression({"user": 4.0}, {"user": 1e-4}))


@pytest.mark.parametrize("make", STORAGES)
def test_one_step_is_the_kalman_gain(make: Make) -> None:
    """w moves by v e / S, and v by -v² / S (plus drift)."""
    bias, x = make(), inputs("a", "u", "i")
    S = 1.0 + sum(1 / PRIOR_STRENGTH[k] for k in ("everywhere", "domain", "user", "user@domain", "item"))
    assert 1.0 + bias.predictive_variance(x) == pytest.approx(S)
    bias.learn_one(x, 2.0)
    v = 1 / PRIOR_STRENGTH["user"]
    assert bias.weight("user:u") == pytest.approx(v * 2.0 / S)
    assert bias.variance("user:u") == pytest.approx(v - v * v / S + DRIFT["user"])


def test_an_input_other_than_one_counts_by_its_size() -> None:
    """w moves by v x e / S, and v by -(v x)² / S."""
    bias, v = BiasRegression(), 1 / PRIOR_STRENGTH["external"]
    S = 1.0 + v * 0.25
    bias.learn_one({"external:": 0.5}, 1.0)
    assert bias.weight("external:") == pytest.approx(v * 0.5 / S)
    assert bias.variance("external:") == pytest.approx(v - (v * 0.5) ** 2 / S + DRIFT["external"])


def test_steps_of_a_kind_without_drift_are_counts_aware() -> None:
    """Alone, a weight worth k events is the mean of n residuals times n / (n + k)."""
    bias, residuals = BiasRegression(), [1.0, 0.5, -0.2, 0.9]
    for r in residuals:
        bias.learn_one({"user@domain:a:u": 1.0}, r)
    n, k = len(residuals), PRIOR_STRENGTH["user@domain"]
    assert bias.weight("user@domain:a:u") == pytest.approx(sum(residuals) / (n + k))


def test_an_input_far_above_the_noise_leaves_a_variance() -> None:
    """A weight that takes all of the error, up to rounding, still counts as used."""
    bias = BiasRegression()
    bias.learn_one({"size": 1e12}, 3e12)
    assert bias.predict_one({"size": 1.0}) == pytest.approx(3.0)
    assert 0 < bias.variance("size") < 1e-9


def test_cells_by_row_say_what_cells_by_name_say() -> None:
    """Both kinds of storage lead to the same regression, to the last bit."""
    one, two = BiasRegression(), by_row()
    for n in range(300):
        x = inputs("ab"[n % 2], f"u{n % 7}", f"i{n % 11}", ("tv",) if n % 3 else (), 0.3 * (n % 2))
        assert one.predict_one(x) == two.predict_one(x)
        one.learn_one(x, 0.1 * (n % 5))
        two.learn_one(x, 0.1 * (n % 5))
    assert sorted(one.cells.names()) == sorted(two.cells.names())
    for name in one.cells.names():
        assert (one.weight(name), one.variance(name)) == (two.weight(name), two.variance(name))


@pytest.mark.parametrize("make", STORAGES)
def test_scoring_unknown_ids_inserts_nothing(make: Make) -> None:
    bias = make()
    bias.learn_one(inputs("a", "u", "i"), 1.0)
    before = bias.cells.names()
    unknown = inputs("b", "new", "new", ("dark",), 1.0)
    assert bias.predict_one(unknown) == bias.weight("everywhere:")
    assert bias.predictive_variance(unknown) > 0
    assert bias.cells.names() == before


def test_an_id_without_a_row_cannot_be_learned() -> None:
    with pytest.raises(KeyError, match="user:new: the id has no row"):
        by_row().learn_one({"user:new": 1.0}, 1.0)


@pytest.mark.parametrize("make", STORAGES)
def test_dropping_deletes_weights_and_variances(make: Make) -> None:
    bias = make()
    for user in ("u", "v"):
        for domain in "ab":
            bias.learn_one(inputs(domain, user, user), 1.0)
    bias.drop_user("u", ["a", "b"])
    bias.drop_item("a", "u")
    assert {n for n in bias.cells.names() if n.endswith(":u")} == {"item:b:u"}
    assert bias.users() == {"v"}
    assert bias.weight("user:u") == 0.0
    assert bias.variance("user:u") == 1 / PRIOR_STRENGTH["user"]
    bias.drop_user("never seen", ["a"])


def test_a_slot_is_given_out_again() -> None:
    """When names come and go, the table stays as large as the largest number at a time."""
    cells = NamedCells()
    for n in range(1000):
        cells.claim(f"user:{n}")[:] = n, 1.0
        if n >= 50:
            cells.forget(f"user:{n - 50}")
    assert len(cells.values) == 64
    assert [cells.find(f"user:{n}")[0] for n in (950, 999)] == [950, 999]  # type: ignore[index]


@pytest.mark.parametrize("make", STORAGES)
def test_domain_copy_learns_what_the_shared_one_does_not(make: Make) -> None:
    """For a user who is generous in one domain only, the shared weight stays between both domains."""
    bias = make()
    for n in range(400):
        bias.learn_one(inputs("ab"[n % 2], "u", f"i{n}"), 1.0 if n % 2 else -1.0)
    assert bias.predict_one(inputs("a", "u", "?")) < -0.7
    assert bias.predict_one(inputs("b", "u", "?")) > 0.7
    assert abs(bias.weight("user:u")) < 0.1
    assert set(bias.terms("a")) == {"domain:a"}


@pytest.mark.parametrize("make", STORAGES)
def test_a_new_domain_starts_from_the_others(make: Make) -> None:
    """The shared intercept learns the level of ratings in all domains."""
    bias = make()
    for n in range(100):
        bias.learn_one(inputs("ab"[n % 2], f"u{n}", f"i{n}"), 0.8)
    assert bias.predict_one(inputs("c", "?", "?")) > 0.6


@pytest.mark.parametrize("make", STORAGES)
def test_another_models_weights_come_on_top_of_those_that_are_here(make: Make) -> None:
    """Another model's weights are added with their uncertainty; unknown names are left out."""
    bias, other = make(), BiasRegression({"domain": 1.0, "item": 4.0}, {})
    bias.learn_one(inputs("a", "u", "i"), 1.0)
    for item in ("i", "i7", "gone"):
        other.learn_one({"domain:a": 1.0, f"item:a:{item}": 1.0}, 0.5)
    before = {name: bias.weight(name) for name in bias.cells.names()}
    bias.absorb(other)
    assert bias.cells.names() == list(before)
    for name in ("domain:a", "item:a:i"):
        assert bias.weight(name) == before[name] + other.weight(name)
        assert bias.variance(name) == other.variance(name)
    assert bias.weight("user:u") == before["user:u"]


def bits(bias: BiasRegression) -> dict[Any, tuple[float, float]]:
    return {name: (bias.weight(name), bias.variance(name)) for name in bias.cells.names()}


@pytest.mark.parametrize("make", STORAGES)
def test_state_round_trips_bit_for_bit(make: Make) -> None:
    one, two = make(), make()
    for n in range(30):
        one.learn_one(inputs("a", f"u{n % 7}", f"i{n % 5}", ("x",)), 0.1 * n)
    two.load(one.state())
    for n in range(30):
        x = inputs("a", f"u{n % 9}", f"i{n % 6}", ("x",))
        assert one.predict_one(x) == two.predict_one(x)
        one.learn_one(x, 0.2)
        two.learn_one(x, 0.2)
    assert bits(one) == bits(two)


def test_weights_by_name_of_before_find_their_rows() -> None:
    """Named weights of an early state find their rows; ids without a row are left out."""
    named, rows = BiasRegression(), by_row()
    for n in range(30):
        named.learn_one(inputs("ab"[n % 2], f"u{n % 7}", f"i{n % 5}", ("x",), 0.2), 0.1 * n)
    known = bits(named)
    named.learn_one({"user:gone": 1.0, "item:b:gone": 1.0}, 1.0)
    rows.load(named.state())
    assert bits(rows) == known
