"""Raw vectors to item vectors: principal components, fitted once, then frozen."""

from __future__ import annotations

import numpy as np
import pytest

from models.projection import FIT_FIRST, FIT_ITEMS, FIT_MINIMUM, NAMED_SCALE, Projection

DIM = 8


def vectors(n: int, width: int = 20, seed: int = 0) -> np.ndarray:
    """Points that vary most along the first axes."""
    scale = 2.0 ** -np.arange(width)
    return (np.random.default_rng(seed).standard_normal((n, width)) * scale + 3.0).astype(np.float32)


def waiting(n: int, width: int = 20) -> Projection:
    projection = Projection(DIM)
    projection.wait({("d", str(k)): row for k, row in enumerate(vectors(n, width))})
    return projection


def test_fits_when_enough_wait_or_no_more_come() -> None:
    """Thousands at once, or a few when the encoder has come to rest; a handful never."""
    assert waiting(FIT_FIRST - 1).fit_if_ready(idle=True) == {}
    assert waiting(FIT_MINIMUM).fit_if_ready(idle=False) == {}
    assert len(waiting(FIT_MINIMUM).fit_if_ready(idle=True)) == FIT_MINIMUM
    assert len(waiting(FIT_ITEMS).fit_if_ready(idle=False)) == FIT_ITEMS


def test_fit_gives_back_what_waited() -> None:
    """Every waiting vector, projected, by its key; nothing waits any more."""
    projection = waiting(100)
    out = projection.fit_if_ready(idle=True)
    assert list(out) == [("d", str(k)) for k in range(100)]
    assert np.allclose(np.stack(list(out.values())), projection.project(vectors(100)), atol=1e-6)
    assert (projection.pending, projection.frozen) == ({}, True)


def test_principal_components() -> None:
    """Centred, uncorrelated, in order of variance: what a singular value decomposition gives, up to signs."""
    projection = waiting(500)
    projection.fit_if_ready(idle=True)
    raw = vectors(500)
    out = projection.project(raw)
    assert np.allclose(out.mean(0), 0, atol=1e-4)
    u, s, _ = np.linalg.svd(raw - raw.mean(0), full_matrices=False)
    first = slice(0, 4)  # the last ones vary too little for float32 to tell them apart
    assert np.allclose(np.abs(out[:, first]), np.abs(u[:, first] * s[first]), atol=5e-3)


def test_frozen_once_fitted() -> None:
    """More vectors never move the basis."""
    projection = waiting(100)
    projection.fit_if_ready(idle=True)
    before = projection.project(vectors(5, seed=9))
    projection.wait({("d", str(k)): row * 5 for k, row in enumerate(vectors(FIT_ITEMS, seed=4))})
    assert projection.fit_if_ready(idle=True) == {}
    assert np.array_equal(projection.project(vectors(5, seed=9)), before)


def test_a_few_texts_begin_and_later_ones_add() -> None:
    """What the first few settled stays; directions are orthogonal; the last ones come with enough texts."""
    raw = np.random.default_rng(0).standard_normal((FIT_MINIMUM + 10, 100)).astype(np.float32)
    keys = [("d", str(k)) for k in range(len(raw))]
    projection = Projection(DIM * 2)
    projection.wait(dict(zip(keys[:10], raw[:10], strict=True)))
    first = np.stack(list(projection.fit_if_ready(idle=True).values()))
    assert first[:, :9].any(axis=0).all()
    assert not first[:, 9:].any()
    assert projection.fit_if_ready(idle=True) == {}  # nothing new
    projection.wait(dict(zip(keys[10:], raw[10:], strict=True)))
    assert projection.fit_if_ready(idle=False) == {}
    later = np.stack(list(projection.fit_if_ready(idle=True).values()))
    assert len(later) == len(raw)
    assert np.allclose(later[:10, :9], first[:, :9], atol=1e-5)
    assert later.any(axis=0).all()
    basis = projection.state()["components"]
    assert np.allclose(basis.T @ basis, np.eye(DIM * 2), atol=1e-4)
    assert projection.frozen


@pytest.mark.parametrize("width", [1, 3, DIM, 100])
def test_any_width_gives_one_width(width: int) -> None:
    """Raw vectors narrower than the result are padded with zeros."""
    projection = waiting(80, width)
    out = projection.fit_if_ready(idle=True)
    assert all(v.shape == (DIM,) and np.isfinite(v).all() for v in out.values())
    assert projection.project(vectors(3, width)).dtype == np.float32


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scikit-learn's explained variance ratio, 0 / 0
def test_equal_texts() -> None:
    """A catalogue in which every text is the same still has finite vectors."""
    projection = Projection(DIM)
    projection.wait({("d", str(k)): np.ones(20, np.float32) for k in range(80)})
    out = np.stack(list(projection.fit_if_ready(idle=True).values()))
    assert np.allclose(out, 0, atol=1e-5)


@pytest.mark.parametrize("n", [0, 10, 100])
def test_state_round_trips(n: int) -> None:
    """Fitted or still waiting: the copy projects and waits alike."""
    one, two = waiting(n), Projection(DIM)
    one.fit_if_ready(idle=True)
    two.load(one.state())
    assert two.frozen == one.frozen == (n == 100)
    assert list(two.pending) == list(one.pending)
    for key, row in one.pending.items():
        assert np.array_equal(two.pending[key], row)
    if one.frozen:
        assert np.array_equal(one.project(vectors(3, seed=1)), two.project(vectors(3, seed=1)))


# Vectors made elsewhere


def named(**given: list[float]) -> np.ndarray:
    out = Projection(DIM).project_named({name: tuple(values) for name, values in given.items()})
    assert out is not None
    assert np.isfinite(out).all()
    return out


def test_no_named_vectors() -> None:
    """None, not zeros: the item has no vector."""
    assert Projection(DIM).project_named({}) is None


def test_named_vectors_are_projected_the_same_way_always() -> None:
    """By name and width alone: the same in every process, whatever else was projected."""
    assert np.array_equal(named(image=[1, 2, 3]), named(image=[1, 2, 3]))
    assert not np.allclose(named(image=[1, 2, 3]), named(audio=[1, 2, 3]))
    assert np.allclose(named(image=[1, 2, 3], audio=[4, 5]), named(audio=[4, 5]) + named(image=[1, 2, 3]))


def test_named_vectors_keep_angles_and_forget_length() -> None:
    """Length says nothing; similar vectors stay similar (Johnson and Lindenstrauss)."""
    assert np.allclose(named(image=[1, 2, 3]), named(image=[10, 20, 30]), atol=1e-6)
    rng = np.random.default_rng(0)
    lengths = [np.linalg.norm(named(image=list(rng.standard_normal(50)))) for _ in range(200)]
    assert abs(np.mean(np.square(lengths)) ** 0.5 - NAMED_SCALE) < 0.1


@pytest.mark.parametrize(
    "values", [[1e308, -1e308], [1e200, 1.0], [5e-324, 0.0], [1e-200, 1e-200], [3e38, 1e39]]
)
def test_extreme_named_vectors_stay_finite(values: list[float]) -> None:
    """Values whose squares leave the range of a float give a vector like any other."""
    assert 0 < np.linalg.norm(named(image=values)) < 2


def test_a_zero_named_vector() -> None:
    """Zeros have no direction."""
    assert np.array_equal(named(image=[0.0, 0.0]), np.zeros(DIM, np.float32))
