"""The River bias: laws of its optimizer and of its memory."""

import pytest

from models.bias import DRIFT, PRIOR, Bias


def test_one_step_is_the_kalman_gain() -> None:
    """w moves by v e / S, and v by -v² / S (plus drift)."""
    bias, x = Bias(), Bias.inputs("a", "u", "i")
    spread = sum(PRIOR[k] for k in ("domain", "user", "user@domain", "item"))
    bias.learn(x, 2.0, noise=0.7)
    S = 0.7 + spread
    assert bias.weight("user:u") == pytest.approx(PRIOR["user"] * 2.0 / S)
    left = PRIOR["user"] - PRIOR["user"] ** 2 / S + DRIFT["user"]
    assert bias.optimizer.variance("user:u") == pytest.approx(left)


def test_steps_of_a_kind_without_drift_are_counts_aware() -> None:
    """Alone, a weight of prior variance noise / k is the mean of n residuals times n / (n + k)."""
    bias, residuals = Bias(), [1.0, 0.5, -0.2, 0.9]
    k = 0.6 / PRIOR["item"]
    for r in residuals:
        bias.learn({"item:a:i": 1.0}, r, noise=0.6)
    assert bias.weight("item:a:i") == pytest.approx(sum(residuals) / (len(residuals) + k))


def test_contributions_add_up_to_rivers_own_prediction() -> None:
    bias = Bias()
    for n in range(20):
        bias.learn(Bias.inputs("ab"[n % 2], f"u{n % 3}", f"i{n % 4}", ("tv",), 0.3), 0.1 * (n % 5), 0.7)
    x = Bias.inputs("a", "u1", "i2", ("tv",), -0.2)
    assert sum(bias.contributions(x).values()) == pytest.approx(bias.regression.predict_one(x))


def test_scoring_unknown_ids_inserts_nothing() -> None:
    bias = Bias()
    bias.learn(Bias.inputs("a", "u", "i"), 1.0, 0.7)
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
            bias.learn(Bias.inputs(domain, user, user), 1.0, 0.7)
    bias.drop_user("u", ["a", "b"])
    bias.drop_item("a", "u")
    left = set(bias.regression.weights)
    assert left == set(bias.optimizer.variances)
    assert {n for n in left if n.endswith(":u")} == {"item:b:u"}
    bias.drop_user("never seen", ["a"])


def test_domain_copy_learns_what_the_shared_one_does_not() -> None:
    """A user who is generous in one domain only: the shared weight stays near the middle of both."""
    bias = Bias()
    for n in range(200):
        bias.learn(Bias.inputs("ab"[n % 2], "u", f"i{n}"), 1.0 if n % 2 else -1.0, 0.3)
    a = sum(bias.contributions(Bias.inputs("a", "u", "?")).values())
    b = sum(bias.contributions(Bias.inputs("b", "u", "?")).values())
    assert a < -0.7
    assert b > 0.7
    assert set(bias.terms("a")) == {"domain:a"}


def test_state_round_trips_bit_for_bit() -> None:
    one, two = Bias(), Bias()
    for n in range(30):
        one.learn(Bias.inputs("a", f"u{n % 7}", f"i{n % 5}", ("x",)), 0.1 * n, 0.7)
    two.load(one.state())
    for n in range(30):
        x = Bias.inputs("a", f"u{n % 9}", f"i{n % 6}", ("x",))
        assert one.contributions(x) == two.contributions(x)
        one.learn(x, 0.2, 0.7)
        two.learn(x, 0.2, 0.7)
    assert one.regression.weights == two.regression.weights
    assert one.optimizer.variances == two.optimizer.variances
