"""The full learner and its target-only arms see the same stream, score before they learn, and count errors by arm."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.arms.arm_comparison import ArmComparison
from models.assessment.prequential import NDCG_LOSS, RMSE
from models.schema import Domain, Interaction, Item
from models.settings import SINGLE, Arm, LearningSettings
from tests.support.learners.states import differences, read_back
from tests.support.store.following import bucket, follow

torch.set_num_threads(1)  # the state law holds for one thread

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]
START = 1_700_000_000_000


def arms(compare: bool = True, domains: list[Domain] = DOMAINS) -> ArmComparison:
    return ArmComparison(domains, LearningSettings(users=64, items_per_domain=32, compare=compare))


def event(n: int) -> Interaction:
    rng = np.random.default_rng([3, n])
    domain = DOMAINS[int(rng.integers(3))].name
    rating = rng.random() < 0.7
    value = float(rng.integers(1, 6)) if rating else None
    user, item = f"u{int(rng.integers(20))}", f"{domain[0]}{int(rng.integers(25))}"
    return Interaction(domain, "rating" if rating else "click", user, item, START + 1000 * n, value)


def feed(model: ArmComparison, start: int, end: int, size: int = 8) -> None:
    for n in range(start, end, size):
        model.learn([event(k) for k in range(n, min(n + size, end))])
        if (n + size) % 16 == 0:
            model.end_batch()


def describe(model: ArmComparison) -> None:
    for domain in DOMAINS:
        for n in range(25):
            model.put_item(Item(domain.name, f"{domain.name[0]}{n}", title=f"Title {n}"))
    rng = np.random.default_rng(0)
    vectors = {
        (d.name, f"{d.name[0]}{n}"): rng.standard_normal(70).astype(np.float32)
        for d in DOMAINS
        for n in range(25)
    }
    model.put_text_vectors(vectors, idle=True)


def test_one_target_only_arm_a_target() -> None:
    """Targets have a target-only arm, pure sources have none; the config may switch them off."""
    assert list(arms().full.target_only) == list(arms().full.ranker.target_only) == [1, 2]
    for without in (arms(compare=False), arms(domains=[Domain("books", "target")])):
        assert without.full.target_only == without.full.ranker.target_only == {}
    quiet = arms(domains=[DOMAINS[0], Domain("books", "target", recommend=False)])
    assert (list(quiet.full.target_only), quiet.full.ranker.target_only) == ([1], {})


def test_target_only_sees_its_domain_only() -> None:
    """The full arm learns every event, the target-only arm the ratings of its own domain."""
    model = arms()
    describe(model)
    feed(model, 0, 90)
    stream = [event(n) for n in range(90)]
    assert model.full.learned == [sum(e.domain == d.name for e in stream) for d in DOMAINS]
    ratings = sum(e.domain == "books" and e.kind == "rating" for e in stream)
    assert model.full.target_only[1].state()["counts"].tolist() == [ratings]


def test_target_only_predicts_as_if_there_were_no_other_domain() -> None:
    """The target-only arm predicts the same bits with and without the sources' events; the full arm does not."""
    both, alone = arms(), arms()
    predicted: list[list[tuple[float | None, float | None]]] = [[], []]
    for model in (both, alone):
        describe(model)
    for n in range(0, 120, 8):
        batch = [event(k) for k in range(n, n + 8)]
        own = [one for one in batch if one.domain == "books"]
        for model, some, told in ((both, batch, predicted[0]), (alone, own, predicted[1])):
            if some:
                model.learn(some)
                scored = [model.latest.of(k) for k, one in enumerate(some) if one.domain == "books"]
                told += [(one.target_only_prediction, one.prediction) for one in scored]
    assert len(predicted[0]) > 20
    assert [one for one, _ in predicted[0]] == [one for one, _ in predicted[1]]
    assert [one for _, one in predicted[0]] != [one for _, one in predicted[1]]


def test_the_arms_are_judged_on_the_same_events() -> None:
    """Ratings count for the RMSE of both arms, a source has no second arm."""
    model = arms()
    feed(model, 0, 120)
    stream = [event(n) for n in range(120)]
    for domain in ("movies", "books", "games"):
        ratings = sum(e.domain == domain and e.kind == "rating" for e in stream)
        assert model.prequential.count(domain, RMSE, "full") == ratings
        alone = model.prequential.count(domain, RMSE, "target_only")
        assert alone == (0 if domain == "movies" else ratings)
        ranked = [model.prequential.count(domain, NDCG_LOSS, arm) for arm in ("full", "target_only")]
        assert ranked[1] == (0 if domain == "movies" else ranked[0])


def test_scored_before_learned() -> None:
    """The first rating's error is that of the prior, whatever its value."""
    model = arms()
    model.learn([Interaction("books", "rating", "u", "b", START, 5.0)])
    assert model.prequential.error("books", RMSE, "full") == pytest.approx(2.0)  # 5 less the middle of 1 … 5
    assert model.prequential.error("books", RMSE, "target_only") == pytest.approx(2.0)


def test_report() -> None:
    """The fields of `cc:domain`, all finite: mean for every domain; rate, divergence and weights for targets."""
    model = arms()
    describe(model)
    feed(model, 0, 120)
    movies, books, games = (model.report(d.name) for d in DOMAINS)
    assert "adaptation_rate" not in movies
    assert {"mean", "adaptation_rate", "divergence:movies", "divergence:games", "gain:rmse"} <= set(books)
    assert {"error:rmse:full", "error:rmse:target_only"} <= set(books)
    assert "divergence:movies" in games
    assert "divergence:games" not in games
    for fields in (movies, books, games):
        assert any(name.startswith("bias:") for name in fields)
        assert np.isfinite(list(fields.values())).all()
    assert 0 < books["adaptation_rate"] <= 1
    assert books["weight:movies"] + books["weight:games"] == pytest.approx(1.0)
    assert games["weight:movies"] == 1.0


def test_report_before_the_first_event() -> None:
    """Before the first event the mean is the middle of the range, and there is no error that would look perfect."""
    fields = arms().report("books")
    assert fields["mean"] == 3.0
    assert not any(name.startswith(("error:", "gain:")) for name in fields)


def test_what_is_evicted_is_forgotten_by_both_arms() -> None:
    """A popular item that lost its row comes back as a new item."""
    model = arms()
    for n in range(30):
        model.learn([Interaction("books", "rating", f"u{n}", "b", START + n, 5.0)])
    praised, other = (Interaction("books", "rating", "v", item, START + 900, 3.0) for item in ("b", "new"))
    assert model.full.score(praised).target_only_prediction > model.full.score(other).target_only_prediction
    for n in range(40):
        model.put_item(Item("books", f"c{n}"))
    assert ("books", "b") in [entry[:2] for entry in model.full.rows.evicted]
    model.put_item(Item("books", "b"))
    model.put_item(Item("books", "new"))
    for told in (lambda one: one.target_only_prediction, lambda one: one.prediction):
        assert told(model.full.score(praised)) == pytest.approx(told(model.full.score(other)))


@pytest.mark.parametrize("cut", [0, 40])
def test_a_restored_state_continues_identically(cut: int) -> None:
    """A restored state goes on to the last bit: all arms, their errors and the drift detectors."""
    plain, first, second = arms(), arms(), arms()
    for model in (plain, first):
        describe(model)
        feed(model, 0, cut)
    second.load(read_back(first.state()))
    for model in (plain, second):
        feed(model, cut, 70)
    assert differences(plain.state(), second.state()) == []


def test_what_is_followed_is_measured() -> None:
    """The error of the arm that the selector followed at each event is measured too."""
    model = arms()
    feed(model, 0, 60)
    followed = model.prequential.error("books", RMSE, "followed", overall=True)
    assert followed == pytest.approx(model.prequential.error("books", RMSE, "full", overall=True))
    assert model.prequential.error("movies", RMSE, "followed") is None  # a source has no other arm to follow


@pytest.mark.parametrize("arm", ["target_only", "text", "popularity"])
def test_lists_are_the_followed_arm_s(arm: Arm) -> None:
    """Users of the bucket get that arm's list, others the full one's; rows are the full catalogue's."""
    model = arms()
    describe(model)
    feed(model, 0, 200)
    follow(model, "books", arm, ["0", "5-19"])
    users = [None, *model.full.users]
    lists = model.recommend(users, "books", 10)
    index = model.full.index["books"]
    for user, found, full in zip(users, lists, model.full.recommend(users, "books", 10), strict=True):
        row = None if user is None else model.full.users.get(user)
        changed = bucket(model.full.history.count(row, index)) in ("0", "5-19")
        if not changed:
            assert [line.item_id for line in found] == [line.item_id for line in full]
        elif arm in SINGLE:
            assert all({k for k, v in line.why.items() if v} <= {SINGLE[arm]} for line in found)
        for line in found:
            assert model.full.catalogues[index].ids.get(line.item_id) == line.row
            assert sum(line.why.values()) == pytest.approx(line.score, abs=1e-5)


def test_hits_are_those_of_the_ranks() -> None:
    """Each learned event counts once, by its item's rank in each arm; a process counts from its start."""
    model = arms()
    describe(model)
    expected = np.zeros_like(model.hits.counts)
    for n in range(0, 96, 8):
        feed(model, n, n + 8)
        assert model.losses is not None
        assert model.latest is not None
        for domain, ranks in zip(model.latest.done.domain, model.losses.rank, strict=True):
            for arm, rank in enumerate(ranks):
                expected[domain, arm] += [rank >= 0, rank == 0, 0 <= rank < 10, 0 <= rank < 50]
    assert model.hits.counts.tolist() == expected.tolist()
    assert expected[:, 0, 2].min() > 0
    assert (expected[:, 0, 1] < expected[:, 0, 2]).all()
