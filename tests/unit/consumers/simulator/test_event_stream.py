"""The events of a simulated world agree with its `truth()`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consumers.datasets.record import Sent
from consumers.datasets.table_file import TableFile
from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from consumers.simulator.presets import WorldOptions, three_domains, world_settings
from consumers.simulator.world_settings import DomainSpec, Drift, Poison, WorldSettings


def world(**changes: object) -> Simulator:
    movies = DomainSpec("movies", users=200, items=150)
    games = DomainSpec("games", users=100, items=80, mean=3.0, rating_range=(0.0, 10.0), step=None)
    settings = WorldSettings(domains=(movies, games), events=6000, seed=3)
    return Simulator(msgspec.structs.replace(settings, **changes))


def rows(records: list[Sent]) -> list[tuple[int, str, dict[str, object]]]:
    return [(n, r.domain, msgspec.json.decode(r.value or b"")) for n, r in enumerate(records)]


def residuals(of: Simulator, domain: str) -> dict[int, float]:
    """Return observed minus expected rating by event index, for unclipped domains only."""
    return {
        n: float(row["value"]) - of.expected(domain, row["user_id"], row["item_id"], n)
        for n, where, row in rows(list(of.events()))
        if where == domain
    }


def test_same_seed_same_bytes() -> None:
    """Equal settings make equal records, also in a second call; another seed makes others."""
    one = world()
    first = list(one.records())
    assert first == list(one.records()) == list(world().records())
    assert first != list(world(seed=4).records())


def test_records_follow_the_contract() -> None:
    """Items first; keys are the ids; ratings are on the grid and in the range; timestamps ascend by the spacing."""
    one = world(event_ids=True, events_per_day=86_400_000 / 250)
    records = list(one.records())
    items, events = records[:230], records[230:]
    assert {r.kind for r in items} == {"items"}
    assert {r.kind for r in events} == {"interactions"}
    assert len(events) == 6000
    for record in items:
        row = msgspec.json.decode(record.value or b"")
        assert record.key.decode() == row["item_id"]
        assert row["title"]
        assert row["text"].startswith(row["title"])
    for n, domain, row in rows(events):
        assert events[n].key.decode() == row["user_id"]
        assert row["timestamp"] == events[n].timestamp == 1_704_067_200_000 + 250 * n
        assert row["event_id"] == f"e3-{1_704_067_200_000:x}-{n:09d}"
        if domain == "movies":
            assert 1 <= row["value"] <= 5
            assert row["value"] * 2 == int(row["value"] * 2)


def test_now_stamps_with_the_clock() -> None:
    """With start_ms=None events have the time of sending, so that freshness can be measured."""
    first = next(iter(world(start_ms=None).events()))
    assert first.timestamp is not None
    assert first.timestamp > 1_704_067_200_000 + 86_400_000


@pytest.mark.parametrize(("overlap", "common"), [(0.0, 0), (0.5, 50), (1.0, 100)])
def test_overlap_is_exact(overlap: float, common: int) -> None:
    """The share `overlap` of the smaller domain's users is in the larger domain too."""
    users = {name: set(d["users"]) for name, d in world(overlap=overlap).truth()["domains"].items()}
    assert len(users["movies"] & users["games"]) == common
    assert (len(users["movies"]), len(users["games"])) == (200, 100)


def test_expected_is_the_mean_of_what_is_observed() -> None:
    """Ratings scatter around `expected` with the noise's deviation and nothing else."""
    values = np.array(list(residuals(world(), "games").values()))
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("mean", [1.2, 3.0, 4.4])
def test_given_ratings_are_clipped_after_the_noise(mean: float) -> None:
    """Near an end of the scale the mean of given ratings lies inside `honest`, compared with many draws."""
    settings = WorldSettings(
        domains=(DomainSpec("games", users=50, items=50, mean=mean),), events=10, noise_sd=0.8, overlap=0.0
    )
    one, noise = Simulator(settings), np.random.default_rng(0).normal(0.0, 0.8, 200_000)
    for user in ("u000003", "u000017"):
        honest = one.honest("games", user, "games-00005", 0)
        drawn = np.clip(honest + noise, 1, 5).mean()
        assert one.given("games", user, "games-00005", 0) == pytest.approx(drawn, abs=0.01)


def test_truth_holds_the_terms_of_expected() -> None:
    """The truth file alone gives the expected rating: bias + user bias + item bias + taste · factors."""
    one = world()
    truth = one.truth()
    games = truth["domains"]["games"]
    user, item = games["users"][7], "games-00005"
    person, thing = truth["users"][user], games["items"][item]
    by_hand = (
        games["bias_before"] + person["bias"] + thing["bias"] + np.dot(person["taste"], thing["factors"])
    )
    assert one.expected("games", user, item, 0) == pytest.approx(by_hand)
    with pytest.raises(KeyError):
        one.expected("games", "u999999", item, 0)


def test_popularity_is_skewed() -> None:
    """A tenth of the items gets far more than a tenth of the events."""
    counts = Counter(r.value and msgspec.json.decode(r.value)["item_id"] for r in world(choice=0.0).events())
    movies = sorted((n for item, n in counts.items() if str(item).startswith("movies")), reverse=True)
    assert sum(movies[:15]) > 0.2 * sum(movies)


def test_choice_follows_taste() -> None:
    """Users choose what they like: the mean affinity of chosen items is above 0, but not without `choice`."""

    def mean_liking(one: Simulator) -> float:
        at = one.world.domains[0]
        draws = list(one.world.draws())
        movies = [d.domain == 0 for d in draws]
        user = np.concatenate([d.user[m] for d, m in zip(draws, movies, strict=True)])
        item = np.concatenate([d.item[m] for d, m in zip(draws, movies, strict=True)])
        assert at.spec.name == "movies"
        return float(one.world.affinity("movies", user, item, 0).mean())

    assert mean_liking(world()) > 0.3
    assert abs(mean_liking(world(choice=0.0))) < 0.1


def test_nobody_has_the_same_twice_while_there_is_something_new() -> None:
    """Repeats are rare, as in rating data, so that ranking unseen items can be measured."""
    seen = Counter((d, r["user_id"], r["item_id"]) for _, d, r in rows(list(world(events=2000).events())))
    assert sum(n - 1 for n in seen.values()) < 40


def test_titles_tell_taste() -> None:
    """Items that share a theme have closer factors than items that do not, across domains."""
    one = world()
    text = {str(r.key, "utf-8"): msgspec.json.decode(r.value or b"")["text"] for r in one.items()}
    factors = {
        i: np.array(f["factors"]) for d in one.truth()["domains"].values() for i, f in d["items"].items()
    }
    war = [factors[i] for i, t in text.items() if "Themes: war" in t]
    assert len(war) > 3
    centre = np.mean(war, axis=0)
    others = np.mean([f @ centre for i, f in factors.items() if "war" not in text[i]])
    assert np.mean([f @ centre for f in war]) > others + 0.5


@pytest.mark.parametrize("kind", ["sudden", "gradual", "recurring"])
def test_drift_shifts_the_mean_where_truth_says(kind: str) -> None:
    """Residuals against the truth stay at 0; against the truth without drift they show its course."""
    drift = Drift("games", kind=kind, at=0.5, span=0.1, bias=2.0, rotate=45.0)  # type: ignore[arg-type]
    one = world(drift=(drift,))
    assert abs(np.mean(list(residuals(one, "games").values()))) < 0.06
    strength = [float(one.world.strength(drift, n)) for n in (2999, 3000, 3300, 3599, 3600, 4200)]
    course = {
        "sudden": [0, 1, 1, 1, 1, 1],
        "gradual": [0, 0, 0.5, 599 / 600, 1, 1],
        "recurring": [0, 1, 1, 1, 0, 1],
    }
    assert strength == pytest.approx(course[kind])
    assert one.truth()["domains"]["games"]["drift"] == [{"kind": kind, "at": 3000, "span": 600, "bias": 2.0}]
    assert one.truth()["domains"]["movies"]["drift"] == []


def test_before_the_drift_nothing_changes() -> None:
    """Events before `at` are those of the same world without drift, apart from later items."""
    plain, drifting = world(), world(drift=(Drift("games", at=3000),))
    assert drifting.world.domain_mean("games", 2999) == plain.world.domain_mean("games", 0) == 3.0
    assert drifting.world.domain_mean("games", 3000) == 4.0
    assert drifting.truth()["domains"]["games"]["bias_after"] == 4.0


def test_drift_reshuffles_popularity() -> None:
    """Other items are popular after the drift."""
    halves = [Counter[str](), Counter[str]()]
    for n, domain, row in rows(list(world(drift=(Drift("games", at=0.5, bias=0.0),), choice=0.0).events())):
        if domain == "games":
            halves[n >= 3000][str(row["item_id"])] += 1
    before, after = ({item for item, _ in half.most_common(10)} for half in halves)
    assert len(before & after) < 6


def test_poison_mirrors_ratings() -> None:
    """A poisoned domain's ratings correlate negatively with the truth, the other's do not."""
    one = world(poison=(Poison("games"),), choice=0.0)
    pairs = [
        (float(r["value"]), one.expected("games", r["user_id"], r["item_id"], n))
        for n, d, r in rows(list(one.events()))
        if d == "games"
    ]
    assert np.corrcoef(np.array(pairs).T)[0, 1] < -0.7


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("click", 1.0, 1.0), ("both", 0.65, 0.75), ("rating", 0.0, 0.0)]
)
def test_kinds(kind: str, low: float, high: float) -> None:
    """A domain has clicks, ratings, or a mixture by `click_share`."""
    spec = DomainSpec("only", kind=kind, click_share=0.7)  # type: ignore[arg-type]
    got = [row for _, _, row in rows(list(Simulator(WorldSettings(domains=(spec,), events=2000)).events()))]
    assert low <= np.mean([r["type"] == "click" for r in got]) <= high
    assert all(("value" in r) == (r["type"] == "rating") for r in got)


def test_csv_files_read_back_as_the_same_records(tmp_path: Path) -> None:
    """What `write_files` writes, `tables` reads: no tags, times to the second. The truth file rebuilds the world."""
    one = world(events=500, events_per_day=86_400)
    write_files(one, tmp_path)
    bad: list[object] = []
    items = list(TableFile(tmp_path / "items.csv.gz").records(bad.append))
    events = list(TableFile(tmp_path / "interactions.csv.gz").records(bad.append))
    assert not bad
    sent = [(r.key, msgspec.json.decode(r.value or b"")) for r in one.items()]
    assert all(len(value.pop("tags")) == 2 for _, value in sent)
    assert [(r.key, msgspec.json.decode(r.value or b"")) for r in items] == sent
    assert [(r.key, r.timestamp) for r in events] == [(r.key, r.timestamp) for r in one.events()]
    truth = msgspec.json.decode((tmp_path / "truth.json").read_bytes())
    again = Simulator(msgspec.convert(truth["settings"], WorldSettings))
    assert again.truth() == one.truth() == truth
    assert next(again.events()) == next(one.events())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overlap": 1.5}, "overlap"),
        ({"domains": ()}, "at least one domain"),
        ({"drift": (Drift("cars"),)}, "cars"),
        ({"domains": (DomainSpec("a"), DomainSpec("a"))}, "of its own"),
        ({"domains": (DomainSpec("A b"),)}, "A b"),
        ({"domains": (DomainSpec("a", items=0),)}, "needs users"),
        ({"dim": 40}, "dim"),
        ({"taste_sd": 0.0}, "taste_sd"),
    ],
)
def test_impossible_worlds_are_refused(changes: dict[str, object], message: str) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=message):
        world(**changes)


def test_the_demo_world_has_two_sources_and_a_young_target() -> None:
    """The demo world's target has a fraction of the sources' events and drifts halfway."""
    counts = Counter(r.domain for r in Simulator(three_domains(events=3000)).events())
    assert counts["games"] * 2 < min(counts["movies"], counts["books"])
    assert [d.at for d in three_domains().drift] == [0.5]


def test_options_go_before_the_world_of_a_file(tmp_path: Path) -> None:
    """Options override the world of a file; the rest is the file's."""
    file = tmp_path / "world.toml"
    file.write_text('events = 700\nseed = 9\n[[domains]]\nname = "films"\n[[poison]]\ndomain = "films"\n')
    assert world_settings(WorldOptions(file)).events == 700
    made = world_settings(WorldOptions(file, events=300, drifts=("films:sudden:0.5",)))
    assert (made.events, made.seed, made.overlap) == (300, 9, 0.8)
    assert [d.domain for d in (*made.drift, *made.poison)] == ["films", "films"]


def test_a_second_run_has_ids_of_its_own() -> None:
    """Two runs of one seed that end at different times share no event_id: a service learns both. Equal ends do."""

    def ids(end_ms: int) -> set[str]:
        settings = msgspec.structs.replace(three_domains(events=50), event_ids=True).ending_at(end_ms)
        return {msgspec.json.decode(sent.value or b"")["event_id"] for sent in Simulator(settings).events()}

    first = ids(1_800_000_000_000)
    assert len(first) == 50
    assert not first & ids(1_800_000_060_000)
    assert first == ids(1_800_000_000_000)
