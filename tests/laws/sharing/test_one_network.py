"""One learner trains the network for others: all have the same network, in whatever way its records reached them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import zstandard

from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import outgoing
from models.learning.exchange.network_exchange import NetworkPublisher, OtherDomainsError, take_in
from models.learning.learner import Learner
from models.network import item_vector_cache
from models.network.embedding_table import Array
from models.network.numpy_scorer import NumpyScorer
from models.network.published.packing import WeightsError
from models.network.published.publication import RING, Keyed
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import Place
from serving.client.pseudonyms import Pseudonyms
from tests.laws.test_batches import DOMAINS, START, describe, event
from tests.support.learners.states import differences

SETTINGS = LearningSettings(users=200, items_per_domain=200)
SMALL = LearningSettings(users=200, items_per_domain=40)
"""Items, which have no texts, give way to others, so that rows of the network get other owners."""
BATCH, STEP = 16, 64


def follower(described: bool = True) -> ArmComparison:
    made = ArmComparison(DOMAINS, SETTINGS, follows=True)
    if described:
        describe(made)
    return made


class Trained:
    """A learner of all events, the role that learns their facts, and a follower that takes in what it publishes."""

    def __init__(self, settings: LearningSettings, events: int) -> None:
        self.one, self.role = ArmComparison(DOMAINS, settings), Learner(DOMAINS, settings)
        described = settings is SETTINGS
        self.shard = follower(described)
        if described:
            describe(self.one)
            describe(self.role)
        self.publisher = NetworkPublisher(self.role)
        self.log: list[Keyed] = []
        self.publish()
        for first in range(0, events, BATCH):
            self.learn(first)

    def learn(self, first: int) -> None:
        batch = [event(n) for n in range(first, first + BATCH)]
        self.one.learn(batch)
        places = [Place("events", 0, first + n) for n in range(BATCH)]
        self.role.gather(unpack(pack(outgoing(self.one, batch, places))))
        self.shard.learn(batch)
        if self.role.waiting >= STEP:
            self.one.end_batch()
            self.role.end_batch()
            self.publish()

    def publish(self) -> None:
        new = list(self.publisher.records(0, self.publisher.texts()))
        self.log += new
        for record in new:
            take_in(self.shard.full, record.value)


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Treat as read-only. Every step computes all vectors of items again, so that none differs by its age."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_vector_cache, "REFRESH_ROWS", SETTINGS.items_per_domain)
        return Trained(SETTINGS, 1_024)


def items(one: Learner, other: Learner) -> Iterator[tuple[int, list[int], list[int]]]:
    """Yield domain and rows of the items that both know, in one order."""
    for d, catalogue in enumerate(one.catalogues):
        held = other.catalogues[d].ids
        both = [(row, there) for item, row in catalogue.ids.items() if (there := held.get(item)) is not None]
        if both:
            yield d, [row for row, _ in both], [there for _, there in both]


def apart(one: Learner, other: Learner) -> float:
    """Return the largest difference of two networks' vectors of items."""
    return max(
        float(np.abs(one.network.item_vectors(d)[here] - other.network.item_vectors(d)[there]).max())
        for d, here, there in items(one, other)
    )


def test_a_follower_has_the_network_of_its_publisher(trained: Trained) -> None:
    assert trained.shard.full.model == trained.role.model == trained.one.full.model == 16
    assert apart(trained.role, trained.shard.full) < 1e-5
    assert trained.shard.full.network.strategy == trained.role.network.strategy
    for d in range(len(DOMAINS)):
        ours, theirs = trained.shard.full.network, trained.role.network
        assert ours.adaptation_rate(d) == theirs.adaptation_rate(d)
        assert ours.source_weights(d) == theirs.source_weights(d)
        assert ours.domain_bias(d) == pytest.approx(theirs.domain_bias(d), rel=1e-5)


def test_at_lag_0_it_is_the_network_of_one_process(trained: Trained) -> None:
    """Facts hold ages in 16 bits and residuals in 32, which is all that differs. Sixteen steps make more of it."""
    one, shard = trained.one.full, trained.shard.full
    assert apart(one, shard) < 5e-3
    users = [f"u{n}" for n in range(0, 60, 7)]
    np.testing.assert_allclose(shard.user_vectors(users), one.user_vectors(users), atol=5e-3)
    for n in range(2_000, 2_040):
        expected, found = trained.one.full.score(event(n)), shard.score(event(n))
        if expected.prediction is not None:
            assert found.prediction == pytest.approx(expected.prediction, abs=1e-2)


def test_a_follower_trains_nothing(trained: Trained) -> None:
    copy = follower()
    copy.learn([event(n) for n in range(BATCH)])
    assert copy.full.waiting == 0
    copy.end_batch()
    assert copy.full.model == 0
    assert not {"adam", "buffer", "counts", "contest"} & trained.shard.full.network.live().keys()


def test_the_newest_record_of_each_key_is_enough() -> None:
    """A compacted log holds no others; rows of the table have got other owners meanwhile."""
    world = Trained(SMALL, 512)
    for n in range(RING + 3):
        if n % 40 == 0:
            world.learn(512 + n * BATCH)
        world.publish()
    newest = {record.key: place for place, record in enumerate(world.log)}
    assert len(newest) < len(world.log) / 2
    late = follower(described=False)
    for place in sorted(newest.values()):
        take_in(late.full, world.log[place].value)
    assert late.full.model == world.role.model
    assert apart(world.role, late.full) < 1e-5
    again = follower(described=False)
    for record in world.log:
        take_in(again.full, record.value)
    assert apart(again.full, late.full) < 1e-5


def test_a_publisher_that_starts_again_publishes_every_row() -> None:
    """An earlier life may have published steps that its checkpoint does not hold."""
    world = Trained(SMALL, 256)
    held = world.role.state()
    world.learn(256)
    world.learn(256 + BATCH)
    world.role.end_batch()
    world.publish()
    world.role = Learner(DOMAINS, SMALL)
    world.role.load(held)
    world.publisher = NetworkPublisher(world.role)
    assert apart(world.role, world.shard.full) > 1e-4
    world.publish()
    assert apart(world.role, world.shard.full) < 1e-5
    assert world.shard.full.model == world.role.model


def test_a_publisher_that_starts_again_costs_a_follower_only_what_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All rows are published. Vectors of items are computed again for those alone that have other values."""
    world = Trained(SMALL, 256)
    world.publish()
    computed, compute = list[int](), NumpyScorer.items

    def counted(self: NumpyScorer, learned: Array, text: Array, domain: int) -> Array:
        computed.append(len(learned))
        return compute(self, learned, text, domain)

    monkeypatch.setattr(NumpyScorer, "items", counted)
    world.publisher = NetworkPublisher(world.role)
    world.publish()
    assert sum(computed) == 0
    table = world.role.network.items.table
    table.replace(np.arange(3), table.values[:3] + 1, table.sums[:3])
    world.publish()
    assert sum(computed) == 3
    assert apart(world.role, world.shard.full) > 1e-3, "the publisher's own vectors are older than its rows"


def test_the_state_of_a_follower_goes_on_where_it_ended(trained: Trained) -> None:
    cut = 7 * len(trained.log) // 10
    one = follower()
    for record in trained.log[:cut]:
        take_in(one.full, record.value)
    two = follower()
    two.load(one.state())
    assert differences(one.state(), two.state()) == []
    for record in trained.log[cut:]:
        take_in(one.full, record.value)
        take_in(two.full, record.value)
    assert differences(one.state(), two.state()) == []
    assert apart(trained.role, two.full) < 1e-5


def test_one_process_goes_on_from_the_state_of_a_follower_and_the_reverse(trained: Trained) -> None:
    alone = ArmComparison(DOMAINS, SETTINGS)
    alone.load(trained.shard.state())
    assert apart(trained.role, alone.full) < 1e-5
    alone.learn([event(n) for n in range(3_000, 3_000 + STEP)])
    alone.end_batch()
    assert alone.full.model == trained.role.model + 1
    back = ArmComparison(DOMAINS, SETTINGS, follows=True)
    back.load(trained.one.state())
    assert apart(trained.one.full, back.full) < 1e-5


def test_the_state_of_a_follower_can_be_moved_to_other_domains(trained: Trained) -> None:
    """Its strategies go with their domains, and what the next publisher trains fits."""
    for domains in ([DOMAINS[1], DOMAINS[0]], [Domain("songs", "source"), *DOMAINS]):
        moved = ArmComparison(domains, SETTINGS, follows=True)
        moved.load(trained.shard.state())
        place = [d.name for d in domains].index("books")
        assert moved.full.network.strategy[place] == trained.shard.full.network.strategy[1]
        role = ArmComparison(domains, SETTINGS)
        role.load(trained.one.state())
        for record in NetworkPublisher(role.full).records(0, None):
            take_in(moved.full, record.value)
        assert apart(role.full, moved.full) < 1e-5


def test_texts_are_projected_as_the_publisher_does(trained: Trained) -> None:
    """A follower fits nothing itself: without a basis an item has no vector, then it has the publisher's."""
    copy = follower()
    assert not any(catalogue.has_vector.any() for catalogue in copy.full.catalogues)
    texts = trained.publisher.texts()
    assert texts is not None
    take_in(copy.full, texts)
    for d, here, there in items(trained.role, copy.full):
        theirs = trained.role.catalogues[d].vectors[here]
        assert theirs.any()
        np.testing.assert_allclose(copy.full.catalogues[d].vectors[there], theirs, atol=1e-5)


def test_another_basis_of_texts_is_refused(trained: Trained) -> None:
    """As from a process that has lost its checkpoint: texts here were projected on the first one, and are let go of."""
    other = Learner(DOMAINS, SETTINGS)
    rng = np.random.default_rng(1)
    for n in range(20):
        other.put_item(Item("books", f"b{n}", f"Title {n}"))
    raw = {("books", f"b{n}"): rng.standard_normal(80).astype(np.float32) for n in range(20)}
    other.put_text_vectors(raw, idle=True)
    texts = NetworkPublisher(other).texts()
    assert texts is not None
    with pytest.raises(WeightsError, match=r"another basis.*Restore it"):
        take_in(trained.shard.full, texts)


def test_no_record_holds_a_user() -> None:
    """Neither an id nor the pseudonym that stands for it, in bytes or unpacked bytes."""
    people = [
        "ann@example.org",
        "bob@example.org",
        Pseudonyms("a secret of some length").inside("cat@example.org"),
    ]
    world = Trained(SETTINGS, 0)
    named = [
        Interaction("books", "rating", person, f"b{n}", START + n, 4.0, f"event-{n}")
        for n in range(24)
        for person in people
    ]
    world.one.learn(named)
    places = [Place("events", 0, n) for n in range(len(named))]
    world.role.gather(unpack(pack(outgoing(world.one, named, places))))
    world.role.end_batch()
    world.publish()
    assert len(world.role.users) == 0
    body = b"".join(r.value + zstandard.ZstdDecompressor().decompress(r.value[4:]) for r in world.log)
    assert b"b17" in body, "items are named, so the search can see"
    for secret in (*people, "event-"):
        assert secret.encode() not in body


def test_other_records_are_refused(trained: Trained) -> None:
    copy = follower()
    for wrong in (b"", b"CCF\1rest", b"CCN\1damaged"):
        with pytest.raises(WeightsError):
            take_in(copy.full, wrong)
    with pytest.raises(WeightsError, match="version 9"):
        take_in(copy.full, b"CCN\x09" + trained.log[-1].value[4:])
    other = ArmComparison([Domain("films", "source"), Domain("books", "target")], SETTINGS, follows=True)
    before = other.full.model
    with pytest.raises(OtherDomainsError, match="movies, books, games"):
        take_in(other.full, trained.log[-1].value)
    assert other.full.model == before
