"""Compiled batches of ratings equal plain numpy, single events, and two processes that share the learning."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from models.rating.batch import ERROR, INNOVATION, THETA, censored_residual
from models.rating.events import PARTS, RatedBatch, totals
from models.rating.model import TASTE_WIDTH, RatingModel
from models.rating.user_taste import UserTaste
from models.schema import Domain
from models.state.merging import merged
from models.state.snapshot import Snapshot, joined, snapshot
from tests.support.learners import single_ratings
from tests.support.learners.plain_rating import PlainRating
from tests.support.learners.rating_states import as_before
from tests.support.learners.single_ratings import ResolvedEvent
from tests.support.learners.states import differences

DIM = 24
DOMAINS = [
    Domain("films", rating_range=(1.0, 5.0)),
    Domain("books", "target", rating_range=(1.0, 5.0)),
    Domain("wines", "both", rating_range=(0.0, 100.0)),
]
USERS = {f"u{n}": n for n in range(30)}
ITEMS = [{f"{d.name[0]}{n}": n for n in range(50)} for d in DOMAINS]
BEFORE = Path(__file__).parents[3] / "data" / "states" / "rating_by_name.npz"


def made() -> RatingModel:
    return RatingModel(DOMAINS, DIM, users=USERS, items=ITEMS)


def exact(model: RatingModel) -> RatingModel:
    """Let a model keep 16 bits of each step of a taste, so that little is rounded."""
    written, model.taste = model.taste.written, UserTaste(TASTE_WIDTH, np.int16)
    model.taste.written = written
    return model


def ratings(count: int, seed: int = 0) -> RatedBatch:
    """Return events of domains in turn; some ratings are at an end of the scale, some lack network, text or value."""
    rng = np.random.default_rng(seed)
    domain, user, item = (rng.integers(n, size=count) for n in (3, 30, 50))
    vectors = np.random.default_rng(9).normal(size=(3, 50, DIM)).astype(np.float32)
    vectors[:, ::7] = 0.0
    value = np.clip(3 + rng.normal(size=count) * 1.5, 1, 5)
    value = np.where(domain == 2, (value - 1) * 25, value)
    value[rng.random(count) < 0.1] = np.nan
    external = rng.normal(size=count) * np.where(domain == 2, 5.0, 0.2) * (rng.random(count) < 0.7)
    context = [("tv", "late")[: int(n)] for n in rng.integers(3, size=count)]
    time = np.cumsum(rng.exponential(300.0, count)) - rng.exponential(30.0, count)
    return RatedBatch(domain, user, item, vectors[domain, item], value, external, time, context)


def cut(events: RatedBatch, size: int) -> list[RatedBatch]:
    starts = range(0, len(events.domain), size)
    return [RatedBatch(*(column[n : n + size] for column in events)) for n in starts]  # type: ignore[arg-type]


def learn(model: RatingModel, events: RatedBatch, size: int) -> NDArray[np.float64]:
    return np.concatenate([model.learn_batch(part) for part in cut(events, size)])


def test_a_censored_residual_is_in_quarters_of_the_range() -> None:
    assert censored_residual(75.0, 50.0, 0.0, 100.0) == 1.0
    assert censored_residual(5.0, 5.2, 1.0, 5.0) == 0.0
    assert censored_residual(1.0, 0.5, 1.0, 5.0) == 0.0
    assert censored_residual(5.0, 4.5, 1.0, 5.0) == 0.5
    assert censored_residual(1.0, 5.5, 1.0, 5.0) == -4.5
    assert made().censored_residual(2, 75, 50.0) == 1.0


def test_parts_are_those_of_plain_numpy() -> None:
    """3,000 events: to the rounding of tastes to 16 bits."""
    events, plain = ratings(3000), PlainRating(DOMAINS, DIM)
    found = learn(exact(made()), events, 64)
    for n, value in enumerate(events.value.tolist()):
        of = (
            int(events.domain[n]),
            int(events.user[n]),
            int(events.item[n]),
            events.vectors[n],
            events.time[n],
        )
        more = events.context[n], float(events.external[n])
        parts = plain.predict(*of, *more) if np.isnan(value) else plain.learn(*of, value, *more)
        unit = plain.unit(of[0])
        assert found[n] / unit == pytest.approx(parts / unit, abs=1e-4)


def test_rounded_steps_change_little() -> None:
    """With the 8 bits that are kept, predictions change by less than a hundredth of a star, root mean square."""
    events = ratings(3000)
    found, expected = learn(made(), events, 64), learn(exact(made()), events, 64)
    stars = events.domain != 2
    change = totals(found)[stars] - totals(expected)[stars]
    assert 0 < np.sqrt((change**2).mean()) < 0.01


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_any_batches_say_and_leave_the_same(size: int) -> None:
    """Each part and every table are equal bit for bit."""
    events, one, other = ratings(1000), made(), made()
    assert np.array_equal(learn(one, events, 16), learn(other, events, size))
    assert differences(one.state(), other.state()) == []


def test_predicting_is_the_first_half_of_learning() -> None:
    """Predicting changes nothing; unknown rows and contexts count as new ones."""
    model = made()
    learn(model, ratings(500), 16)
    before, events = model.state(), ratings(40, 1)
    parts = model.predict_batch(events)
    assert parts.shape == (40, PARTS)
    nobody = events._replace(user=np.full(40, 10**6), item=np.full(40, -1), context=[("new",)] * 40)
    new = model.predict_batch(nobody)
    assert not new[:, [2, 3, 4, 5, 9]].any()
    assert differences(before, model.state()) == []
    first = RatedBatch(*(column[:1] for column in events))  # type: ignore[arg-type]
    assert np.array_equal(model.learn_batch(first), parts[:1])


def test_single_events_are_batches_of_one() -> None:
    events, one, other = ratings(200), made(), made()
    expected = learn(one, events, 16)
    for n, value in enumerate(events.value.tolist()):
        domain, user, item = (int(column[n]) for column in events[:3])
        event = ResolvedEvent(domain, user, item, events.vectors[n], events.context[n], float(events.time[n]))
        parts = single_ratings.predict(other, event, float(events.external[n]))
        assert [getattr(parts, name) for name in parts.__struct_fields__] == expected[n].tolist()
        assert parts.total == pytest.approx(totals(expected)[n])
        if not np.isnan(value):
            single_ratings.learn(other, event, value, parts)
    assert differences(one.state(), other.state()) == []


def test_what_is_shared_can_be_learned_from_anothers_lessons() -> None:
    """Learned from lessons, all shared tables are the same to the last bit, and users stay unknown."""
    events, one, other = ratings(600), made(), made()
    for part in cut(events, 32):
        lessons = one.no_lessons(len(part.domain))
        one.learn_batch(part, lessons)
        assert np.array_equal(np.isnan(lessons).all(1), np.isnan(part.value))
        other.fold_batch(part, lessons)
    mine, theirs = one.state(), other.state()
    users = [path for path in differences(mine, theirs) if path.startswith((".taste.", ".bias.user"))]
    assert differences(mine, theirs) == users
    assert not other.taste.arrays.steps.any()
    assert not other.cells.arrays.user.any()


def test_lessons_are_error_innovation_and_taste() -> None:
    """The lesson of a first event has the error of the middle, no taste, and the variance of all priors."""
    events, model = RatedBatch(*(column[:1] for column in ratings(1, 3))), made()  # type: ignore[arg-type]
    events = events._replace(domain=np.array([0]), value=np.array([4.0]), external=np.zeros(1), context=[()])
    lessons = model.no_lessons(1)
    model.learn_batch(events, lessons)
    assert lessons[0, ERROR] == 1.0
    biases, taste, offset = 1 / 2 + 1 / 20 + 1 / 40 + 1 / 60 + 1 / 4, 1 / 8 + 1 / 6, 16 / 12 / 3
    assert lessons[0, INNOVATION] == pytest.approx(1 + biases + taste + offset)
    assert lessons[0, THETA:].tolist() == [0.0] * 16


def test_a_domain_of_its_own_learns_as_among_others() -> None:
    """A model of one domain has rows of its own and the same vectors."""
    events = ratings(300)
    of = events.domain == 1
    alone = RatedBatch(*(column[of] for column in events[:-1]), [()] * int(of.sum()))
    model, plain = exact(RatingModel(DOMAINS[1:2], DIM)), PlainRating(DOMAINS[1:2], DIM)
    parts = learn(model, alone._replace(domain=np.zeros(int(of.sum()), np.int64)), 16)
    for n, value in enumerate(alone.value.tolist()):
        row = 0, int(alone.user[n]), int(alone.item[n]), alone.vectors[n], alone.time[n]
        external = float(alone.external[n])
        plainly = (
            plain.predict(*row, (), external) if np.isnan(value) else plain.learn(*row, value, (), external)
        )
        assert parts[n] == pytest.approx(plainly, abs=1e-4)


def read(taken: Snapshot) -> Any:
    """Return the state as it is read from disk."""
    return joined(msgspec.msgpack.decode(taken.body), taken.tensors)


def test_increments_hold_all_that_was_learned() -> None:
    """A model marks its own rows, and its increments also hold changes by another's lessons."""
    one, other, events = made(), made(), cut(ratings(400), 50)
    for part in events[:4]:
        one.learn_batch(part)
    states = [read(snapshot(model.live())) for model in (one, other)]
    for part in events[4:]:
        lessons = one.no_lessons(len(part.domain))
        one.learn_batch(part, lessons)
        other.fold_batch(part, lessons)
    for model, state in zip((one, other), states, strict=True):
        taken = snapshot(model.live(), increment=True)
        now = merged(state, [read(taken)])
        assert differences(now, model.state()) == []
        model.drop_user(3)
        model.drop_item(0, 3)
        taken = snapshot(model.live(), increment=True)
        assert differences(merged(now, [read(taken)]), model.state()) == []


# States of before: biases by name, whole covariances


def before() -> tuple[dict[str, Any], dict[str, NDArray[Any]], NDArray[np.float32]]:
    """Return a state with named biases, the 40 events after it, and item vectors."""
    with np.load(BEFORE) as held:
        arrays = dict(held)
    state: dict[str, Any] = {"sums": arrays["sums"], "counts": arrays["counts"], "records": []}
    for part in ("bias", "prior", "taste"):
        state[part] = {k.removeprefix(f"{part}."): v for k, v in arrays.items() if k.startswith(f"{part}.")}
    state["bias"]["names"] = state["bias"]["names"].tolist()
    for n in range(2):
        of = f"records.{n}."
        state["records"].append({k.removeprefix(of): v for k, v in arrays.items() if k.startswith(of)})
    events = {k.removeprefix("events."): v for k, v in arrays.items() if k.startswith("events.")}
    return state, events, arrays["vectors"]


def test_a_state_of_before_goes_on_as_it_would_have() -> None:
    """The 40 predictions of the earlier version are the same, up to float32's rounding."""
    state, events, vectors = before()
    domains = [Domain("films", rating_range=(1.0, 5.0)), Domain("wines", "both", rating_range=(0.0, 100.0))]
    users, items = {f"u{n}": n for n in range(5)}, [{f"i{n}": n for n in range(6)}] * 2
    model = RatingModel(domains, 8, users=users, items=items)
    model.load(state)
    found = model.learn_batch(
        RatedBatch(
            events["domain"], events["user"], events["item"], vectors[events["domain"], events["item"]],
            events["value"].astype(float), events["external"], events["time"],
            [(name,) if name else () for name in events["context"].tolist()],
        )
    )  # fmt: skip
    assert len(found) == 40
    assert found == pytest.approx(events["parts"], abs=1e-4)


def test_a_state_in_the_earlier_format_is_the_same_state() -> None:
    one, other = exact(made()), exact(made())
    learn(one, ratings(400), 16)
    other.load(as_before(one))
    assert differences(one.state(), other.state(), lambda path: path.startswith(".taste.")) == []
    more = ratings(50, 1)
    assert learn(one, more, 16) == pytest.approx(learn(other, more, 16), abs=1e-3)


def test_a_state_round_trips() -> None:
    one, other = made(), made()
    learn(one, ratings(400), 16)
    other.load(one.state())
    assert differences(one.state(), other.state()) == []
    more = ratings(50, 1)
    assert np.array_equal(learn(one, more, 16), learn(other, more, 16))
    assert differences(one.state(), other.state()) == []
