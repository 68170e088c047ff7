"""Raw vectors become item vectors, by a basis that grows domain by domain."""

from __future__ import annotations

import numpy as np
import pytest

from models.state.merging import merged
from models.text.basis import SETTLED_TEXTS
from models.text.encoder import HashingEncoder
from models.text.projection import FIT_FIRST, FIT_ITEMS, Key, Projection
from tests.support.learners.raw_vectors import DIM, keyed, projection, vectors, waiting
from tests.support.learners.states import differences, read_back


def stacked(projected: dict[Key, np.ndarray]) -> np.ndarray:
    return np.stack(list(projected.values()))


def spread(projected: np.ndarray) -> float:
    """Return the variance of all columns together."""
    return float(projected.var(axis=0).sum())


# What waits


def test_fits_when_enough_wait_or_no_more_come() -> None:
    """A fit needs thousands of vectors, or some when the encoder is idle, but never only a few."""
    assert projection().take(keyed(vectors(FIT_FIRST - 1)), idle=True) == {}
    assert projection().take(keyed(vectors(SETTLED_TEXTS)), idle=False) == {}
    assert len(projection().take(keyed(vectors(FIT_FIRST)), idle=True)) == FIT_FIRST
    assert len(projection().take(keyed(vectors(FIT_ITEMS)), idle=False)) == FIT_ITEMS


def test_a_settled_domain_waits_for_nothing() -> None:
    """Every waiting vector is projected under its key, and a later one at once by the same basis."""
    made = projection()
    raw = vectors(SETTLED_TEXTS + 1)
    out = made.take(keyed(raw[:-1]), idle=True)
    assert list(out) == list(keyed(raw[:-1]))
    assert waiting(made, "a") == 0
    again = made.take({("a", "0"): raw[0], ("a", "last"): raw[-1]}, idle=False)
    assert np.allclose(again["a", "0"], out["a", "0"], atol=1e-5)
    assert again["a", "last"].any()


def test_what_waits_is_bounded() -> None:
    """Only a few thousand raw vectors are kept, and few once the encoder is idle."""
    made, most = projection(), 0
    for start in range(0, 3 * FIT_ITEMS, 100):
        made.take(keyed(vectors(100, 8, start), "ab"[start // 100 % 2], start), idle=False)
        most = max(most, waiting(made, "a") + waiting(made, "b"))
    assert FIT_ITEMS - 100 <= most <= FIT_ITEMS
    few = projection()
    for start in range(SETTLED_TEXTS + 10):
        few.take(keyed(vectors(1, 8, start), "a", start), idle=True)
        assert waiting(few, "a") < SETTLED_TEXTS


def test_a_dropped_item_waits_no_more() -> None:
    """A dropped item is not projected by a later fit."""
    made = projection()
    made.take(keyed(vectors(20)), idle=False)
    made.drop(("a", "3"))
    assert ("a", "3") not in made.take({}, idle=True)


def test_the_first_texts_of_a_later_domain_are_projected_at_once() -> None:
    """The first texts of a later domain are projected on the present columns, until it gets its own."""
    made = projection()
    made.take(keyed(vectors(SETTLED_TEXTS)), idle=True)
    early = made.take(keyed(vectors(3, seed=5), "b"), idle=True)
    assert stacked(early).any(axis=1).all()
    later = made.take(keyed(vectors(FIT_FIRST, seed=6), "b", 3), idle=True)
    assert early.keys() < later.keys()


# The basis


def test_principal_components() -> None:
    """Columns of one domain are centred, uncorrelated, and those of a singular value decomposition."""
    raw = vectors(SETTLED_TEXTS)
    out = stacked(projection("a").take(keyed(raw), idle=True))
    u, s, _ = np.linalg.svd(raw - raw.mean(0), full_matrices=False)
    columns = [k for k in range(DIM) if out[:, k].any()]
    assert np.allclose(out.mean(0), 0, atol=1e-4)
    for place, column in enumerate(columns):
        assert np.allclose(np.abs(out[:, column]), np.abs(u[:, place] * s[place]), atol=5e-3)


@pytest.mark.parametrize("steps", [(10, 30, 70, 600), (8, 9, 1000), (64, 5000)])
def test_what_is_there_never_changes(steps: tuple[int, ...]) -> None:
    """More texts add columns; an item's coordinates stay, and the basis stays orthonormal."""
    raw, made = vectors(max(steps), 200), projection("a", "b")
    had, held = 0, np.zeros((0, DIM))
    for step in steps:
        out = made.take(keyed(raw[had:step], start=had), idle=True)
        first = made.basis.project("a", raw[: len(held)]) if len(held) else held
        used = held.any(axis=0)
        assert np.allclose(first[:, used], held[:, used], atol=1e-4)
        assert out
        had, held = step, made.basis.project("a", raw[:step])
        columns = made.basis.live()["columns"].values
        gram = columns @ columns.T
        assert np.allclose(gram, np.diag(columns.any(axis=1)), atol=1e-4)
    assert held.any(axis=0).sum() > DIM / 3


def test_few_texts_leave_columns_for_more() -> None:
    """The first 64 texts do not decide all leading columns for the thousands that follow."""
    raw = vectors(3000, 400)
    at_once, after_few = projection("a"), projection("a")
    at_once.take(keyed(raw), idle=True)
    after_few.take(keyed(raw[:64]), idle=True)
    after_few.take(keyed(raw[64:], start=64), idle=True)
    best, reached = (spread(p.basis.project("a", raw)) for p in (at_once, after_few))
    assert reached > 0.8 * best


def texts(domain: str, n: int, language: str = "") -> np.ndarray:
    """Return hashed texts about one of twelve topics each, in the domain's own words."""
    rng = np.random.default_rng(len(domain) + ord(domain[-1]))
    made = []
    for topic in rng.integers(12, size=n):
        words = [f"{language}{domain}{topic}w{int(w)}" for w in rng.geometric(0.15, 8)]
        made.append(" ".join(words + [f"{language}{domain}c{int(w)}" for w in rng.integers(200, size=5)]))
    return HashingEncoder().encode(made)


@pytest.mark.parametrize("later", [8, 64, 1000, 3000])
def test_a_later_domain_is_represented_as_well_as_a_first(later: int) -> None:
    """A later domain with other words gets vectors nearly as good as if it had come first."""
    raw = {"a": texts("a", 1000), "b": texts("b", later)}
    test = texts("b", 4000)[3000:]
    reached = {}
    for order in ("ab", "ba"):
        made = Projection(64, 16, ("a", "b"))
        for domain in order:
            made.take(keyed(raw[domain], domain), idle=True)
        reached[order] = [spread(made.basis.project("b", test)[:, :k]) for k in (64, 16)]
    whole, leading = np.array(reached["ab"]) / reached["ba"]
    assert whole > 0.8
    assert leading > 0.8


def test_a_later_domain_changes_nothing_for_the_earlier() -> None:
    """The first domain's texts keep their coordinates, and other domains do not use its directions by accident."""
    made = Projection(64, 16, ("a", "b"))
    made.take(keyed(texts("a", 1000)), idle=True)
    before = made.basis.project("a", texts("a", 100))
    made.take(keyed(texts("b", 1000), "b"), idle=True)
    assert np.array_equal(made.basis.project("a", texts("a", 100)), before)
    one, two = made.basis.project("a", texts("a", 100)), made.basis.project("b", texts("b", 100))
    own = two.var(axis=0) > 4 * one.var(axis=0)
    assert own[:16].any()
    assert own[16:].any()
    assert spread(two[:, own]) > 0.7 * spread(two)


def test_many_domains_all_get_something() -> None:
    """The fifth of five domains with different words still gets columns, also leading ones."""
    names = [f"d{n}" for n in range(5)]
    made = Projection(64, 16, names)
    shares = []
    for name in names:
        raw = texts(name, 600)
        before = made.basis.used
        made.take(keyed(raw, name), idle=True)
        new = made.basis.used & ~before
        shares.append((int(new[:16].sum()), int(new[16:].sum())))
    assert min(lead for lead, _ in shares) >= 2
    assert min(trail for _, trail in shares) >= 5


def test_a_small_domain_counts_beside_a_large_one() -> None:
    """A small domain gets columns beside a large one at the first fit."""
    made = Projection(64, 16, ("a", "b"))
    large, small = texts("a", 4500), texts("b", SETTLED_TEXTS)
    made.take(keyed(large) | keyed(small, "b"), idle=True)
    assert spread(made.basis.project("b", small)) > 0.6 * spread(made.basis.project("a", large))


def test_what_every_text_has_of_its_own_is_shared_out() -> None:
    """Texts of few topics, each with a word of its own, all keep a difference."""
    topics = np.random.default_rng(0).integers(3, size=400)
    raw = np.hstack([np.eye(3, dtype=np.float32)[topics], 0.5 * np.eye(400, dtype=np.float32)])
    out = stacked(projection("a").take(keyed(raw), idle=True))
    one = out[topics == 1]
    lengths = np.linalg.norm(one - one.mean(0), axis=1)
    assert lengths.min() > 0.2 * lengths.max()


@pytest.mark.parametrize("width", [1, 3, DIM, 100])
def test_any_width_gives_one_width(width: int) -> None:
    """Raw vectors narrower than the result are padded with zeros."""
    out = projection().take(keyed(vectors(SETTLED_TEXTS, width)), idle=True)
    assert all(v.shape == (DIM,) and v.dtype == np.float32 and np.isfinite(v).all() for v in out.values())


def test_equal_texts() -> None:
    """A catalogue in which every text is the same still has finite vectors."""
    out = projection().take(keyed(np.ones((80, 20), np.float32)), idle=True)
    assert np.allclose(stacked(out), 0, atol=1e-5)


# State


@pytest.mark.parametrize("n", [0, 5, 10, 100, 600])
def test_state_round_trips(n: int) -> None:
    """A copy goes on to the same bits from an empty, waiting, growing or settled state."""
    one, two = projection(), projection()
    one.take(keyed(vectors(n)), idle=True)
    two.load(read_back(one.live()))
    assert differences(one.state(), two.state()) == []
    more = keyed(vectors(200, seed=1), "b")
    first, second = one.take(more, idle=True), two.take(more, idle=True)
    assert differences(first, second) == []
    assert differences(one.state(), two.state()) == []


def test_increments_add_up() -> None:
    """A whole state with increments equals the present state, through vectors, drops, fits and a settled domain."""
    made = projection()
    state = read_back(made.live())
    steps: list[tuple[str, int, bool]] = [("a", 5, False), ("a", 30, True), ("b", 7, True), ("a", 600, True)]
    for n, (domain, count, idle) in enumerate(steps):
        made.take(keyed(vectors(count, seed=n), domain, 1000 * n), idle)
        made.drop((domain, str(1000 * n + 1)))
        state = merged(state, [read_back(made.live(), increment=True)])
        assert differences(state, made.state()) == []


@pytest.mark.parametrize("frozen", [True, False])
def test_a_state_from_before_loads_and_grows(frozen: bool) -> None:
    """An early state keeps its columns and waiting vectors; free columns are for new domains."""
    components, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((100, DIM)))
    components[:, DIM // 2 :] = 0
    pending = None if frozen else vectors(10)
    made = projection()
    made.load(
        {
            "frozen": frozen, "waits": False, "mean": np.zeros(100, np.float32),
            "components": components.astype(np.float32), "pending": pending,
            "pending_keys": [] if pending is None else [["a", str(k)] for k in range(10)],
        }
    )  # fmt: skip
    raw = vectors(SETTLED_TEXTS, seed=3)
    assert np.allclose(made.basis.project("a", raw), raw @ components, atol=1e-4)
    out = made.take(keyed(raw, "b"), idle=True)
    assert np.allclose(stacked({k: v for k, v in out.items() if k[0] == "b"})[:, : DIM // 2],
                       (raw @ components)[:, : DIM // 2], atol=1e-4)  # fmt: skip
    assert made.basis.used[DIM // 2 :].any()
    assert waiting(made, "a") == (0 if frozen else 10)
