"""The River bias: laws of its optimizer and of its memory."""

import pytest

from models.rating.bias import DRIFT, WORTH, Bias


def learn(bias: Bias, x: dict[str, float], y: float) -> None:
    """One event that nothing but this model explains."""
    bias.learn(x, y - sum(bias.contributions(x).values()), 1.0 + bias.spread(x))


def test_one_step_is_the_kalman_gain() -> None:
    """w moves by v e / S, and v by -v² / S (plus drift)."""
    bias, x = Bias(), Bias.inputs("a", "u", "i")
    S = 1.0 + sum(1 / WORTH[k] for k in ("everywhere", "domain", "user", "user@domain", "item"))
    assert 1.0 + bias.spread(x) == pytest.approx(S)
    learn(bias, x, 2.0)
    v = 1 / WORTH["user"]
    assert bias.weight("user:u") == pytest.approx(v * 2.0 / S)
    assert bias.optimizer.variance("user:u") == pytest.approx(v - v * v / S + DRIFT["user"])


def test_an_input_other_than_one_counts_by_its_size() -> None:
    """w moves by v x e / S, and v by -(v x)² / S."""
    bias, v = Bias(), 1 / WORTH["external"]
    S = 1.0 + v * 0.25
    learn(bias, {"external:": 0.5}, 1.0)
    assert bias.weight("external:") == pytest.approx(v * 0.5 / S)
    left = v - (v * 0.5) ** 2 / S + DRIFT["external"]
    assert bias.optimizer.variance("external:") == pytest.approx(left)


def test_steps_of_a_kind_without_drift_are_counts_aware() -> None:
    """Alone, a weight worth k events is the mean of n residuals times n / (n + k)."""
    bias, residuals = Bias(), [1.0, 0.5, -0.2, 0.9]
    for r in residuals:
        learn(bias, {"user@domain:a:u": 1.0}, r)
    n, k = len(residuals), WORTH["user@domain"]
    assert bias.weight("user@domain:a:u") == pytest.approx(sum(residuals) / (n + k))


def test_contributions_add_up_to_rivers_own_prediction() -> None:
    bias = Bias()
    for n in range(20):
        learn(bias, Bias.inputs("ab"[n % 2], f"u{n % 3}", f"i{n % 4}", ("tv",), 0.3), 0.1 * (n % 5))
    x = Bias.inputs("a", "u1", "i2", ("tv",), -0.2)
    assert sum(bias.contributions(x).values()) == pytest.approx(bias.regression.predict_one(x))


def test_scoring_unknown_ids_inserts_nothing() -> None:
    bias = Bias()
    learn(bias, Bias.inputs("a", "u", "i"), 1.0)
    before = bias.state()
    bias.contributions(Bias.inputs("b", "new", "new", ("dark",), 1.0))
    bias.spread(Bias.inputs("b", "new", "new"))
    assert bias.state()["names"] == before["names"]
    assert "user:new" not in bias.regression.weights


def test_dropping_deletes_weights_and_counts() -> None:
    """River's memory is that of the resident ids."""
    bias = Bias()
    for user in ("u", "v"):
        for domain in "ab":
            learn(bias, Bias.inputs(domain, user, user), 1.0)
    bias.drop_user("u", ["a", "b"])
    bias.drop_item("a", "u")
    left = set(bias.regression.weights)
    assert left == set(bias.optimizer.variances)
    assert {n for n in left if n.endswith(":u")} == {"item:b:u"}
    bias.drop_user("never seen", ["a"])


def test_domain_copy_learns_what_the_shared_one_does_not() -> None:
    """A user who is generous in one domain only: the shared weight stays near the middle of both."""
    bias = Bias()
    for n in range(400):
        learn(bias, Bias.inputs("ab"[n % 2], "u", f"i{n}"), 1.0 if n % 2 else -1.0)
    a = sum(bias.contributions(Bias.inputs("a", "u", "?")).values())
    b = sum(bias.contributions(Bias.inputs("b", "u", "?")).values())
    assert a < -0.7
    assert b > 0.7
    assert abs(bias.weight("user:u")) < 0.1
    assert set(bias.terms("a")) == {"domain:a"}


def test_a_new_domain_starts_from_the_others() -> None:
    """The shared intercept carries what ratings are everywhere."""
    bias = Bias()
    for n in range(100):
        learn(bias, Bias.inputs("ab"[n % 2], f"u{n}", f"i{n}"), 0.8)
    assert sum(bias.contributions(Bias.inputs("c", "?", "?")).values()) > 0.6


def test_state_round_trips_bit_for_bit() -> None:
    one, two = Bias(), Bias()
    for n in range(30):
        learn(one, Bias.inputs("a", f"u{n % 7}", f"i{n % 5}", ("x",)), 0.1 * n)
    two.load(one.state())
    for n in range(30):
        x = Bias.inputs("a", f"u{n % 9}", f"i{n % 6}", ("x",))
        assert one.contributions(x) == two.contributions(x)
        learn(one, x, 0.2)
        learn(two, x, 0.2)
    assert one.regression.weights == two.regression.weights
    assert one.optimizer.variances == two.optimizer.variances
