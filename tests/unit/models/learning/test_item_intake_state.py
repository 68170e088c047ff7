"""A learner's state holds the item intake, and a later domain gets its own directions."""

from __future__ import annotations

import numpy as np

from consumers.service.text_encoding import encode
from models.learning.learner import Learner
from models.rating.model import TASTE_WIDTH
from models.schema import Domain, Item
from models.settings import LearningSettings
from models.state.merging import merged
from models.text.encoder import HashingEncoder
from tests.support.learners.states import differences, read_back

DOMAINS = [Domain("movies"), Domain("books", "target")]
IMAGE = {"image": (1.0, 2.0, 3.0)}
OTHER = {"image": (3.0, -2.0, 1.0)}


def learner() -> Learner:
    return Learner(DOMAINS, LearningSettings(users=8, items_per_domain=40))


def described() -> Learner:
    model = learner()
    items = [Item("books", f"i{n}", f"title {n}", vectors=IMAGE if n % 2 else {}) for n in range(20)]
    texts = {(item.domain, item.item_id): item.words() for item in items if model.put_item(item)}
    model.put_text_vectors(encode(HashingEncoder(), texts), idle=True)
    return model


def test_hashes_and_parts_are_in_the_state() -> None:
    """After a restart the same words need no encoding; increments hold what item events changed."""
    model, second = described(), learner()
    state = read_back(model.live())
    assert not model.put_item(Item("books", "i1", "title 1", vectors=OTHER))
    assert model.put_item(Item("books", "i2", "other words"))
    model.put_item(Item("books", "i3", "title 3"))
    state = merged(state, [read_back(model.live(), increment=True)])
    assert differences(state, model.state()) == []
    second.load(state)
    for each in (model, second):
        assert not each.put_item(Item("books", "i1", "title 1", vectors=IMAGE))
        assert each.put_item(Item("books", "i2", "other words"))
    assert differences(second.state(), model.state()) == []


def test_a_state_without_hashes_encodes_once() -> None:
    """With an earlier state vectors stay; an item's first event has its words encoded, the second does not."""
    model = described()
    state = read_back(model.live())
    state["named"] = {name: state["item_parts"][name] for name in ("names", "vectors")}
    del state["item_parts"]
    for catalogue in state["catalogues"]:
        del catalogue["words"], catalogue["encoded"]
    second = learner()
    second.load(state)
    vectors = model.catalogues[1].vectors[:20].copy()
    image, other = (model.intake.projection.project_named(named) for named in (IMAGE, OTHER))
    texts = {4: vectors[4], 5: vectors[5] - image}
    for n, text in texts.items():
        assert second.put_item(Item("books", f"i{n}", f"title {n}", vectors=OTHER))
        assert np.allclose(second.catalogues[1].vectors[n], text + other, atol=1e-6)
    raw = encode(HashingEncoder(), {("books", "i4"): "title 4"})
    second.put_text_vectors(raw, idle=True)
    assert not second.put_item(Item("books", "i4", "title 4"))


# A domain that comes later


def worded(domain: str, n: int) -> list[Item]:
    """Return items about one of twelve topics each, in words that no other domain has."""
    rng = np.random.default_rng(len(domain))
    topics = rng.integers(12, size=n)
    return [
        Item(domain, f"i{k}", " ".join(f"{domain}{topic}w{int(w)}" for w in rng.geometric(0.2, 8)))
        for k, topic in enumerate(topics)
    ]


def test_a_later_domain_has_vectors_as_telling_as_a_first() -> None:
    """The encoder rests after 64 texts of one domain. Items of a later domain, in other words, differ from
    each other by as much as if it had been first, also in what tastes are learned on."""
    told = []
    for order in (["movies", "books"], ["books", "movies"]):
        model = Learner(DOMAINS, LearningSettings(users=8, items_per_domain=600))
        for domain in order:
            items = worded(domain, 64 if domain == "movies" else 600)
            for item in items:
                model.put_item(item)
            texts = {(domain, item.item_id): item.words() for item in items}
            model.put_text_vectors(encode(HashingEncoder(), texts), idle=True)
        variances = model.catalogues[1].vectors[:600].var(axis=0)
        told.append((variances.sum(), variances[:TASTE_WIDTH].sum()))
    later, first = told
    assert later[0] > 0.8 * first[0]
    assert later[1] > 0.8 * first[1]
