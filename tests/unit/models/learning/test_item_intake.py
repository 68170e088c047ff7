"""Item events change or keep an item's vector, and decide which texts are encoded."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.text_encoding import Key
from models.learning.learner import Learner
from models.text.encoder import HashingEncoder
from tests.support.doubles import ListSource, SyncEncoding
from tests.support.learners.states import differences
from tests.support.service.pipelines import list_pipeline

START = 1_700_000_000_000
IMAGE = {"image": (1.0, 2.0, 3.0)}
OTHER = {"image": (3.0, -2.0, 1.0)}


class Held(SyncEncoding):
    """An encoder that works on request, counts the texts, and may fail."""

    def __init__(self) -> None:
        super().__init__(HashingEncoder())
        self.counts: Counter[str] = Counter()
        self.open = True

    def drain(self) -> tuple[dict[Key, np.ndarray], bool]:
        if not self.open:
            return {}, False
        self.counts.update(self.waiting.values())
        return super().drain()


class Service:
    """Return a pipeline over a log that grows."""

    def __init__(self, items: int = 100) -> None:
        self.settings = build(
            {
                "domains": {"movies": {}, "books": {"role": "target"}},
                "intake": {"batch_events": 1},
                "learner": {"items_per_domain": items},
            }
        )
        self.records: list[Any] = []
        self.encoding = Held()
        self.pipeline = list_pipeline(self.settings, ListSource(self.records), encoding=self.encoding)
        self.arms = self.pipeline.arms
        self.pipeline.restore()

    def send(self, topic: str, key: str, value: Any) -> None:
        data = None if value is None else json.dumps(value).encode()
        n = len(self.records)
        self.records.append(Record(topic, 0, n, START + n, key.encode(), data))

    def item(self, n: int = 0, domain: str = "books", **fields: Any) -> None:
        value = {"item_id": f"i{n}", "title": f"title {n} word{n % 7}"} | fields
        self.send(f"items.{domain}", f"i{n}", value)

    def run(self) -> None:
        source = self.pipeline.source
        assert isinstance(source, ListSource)
        while not source.exhausted or len(self.pipeline.batcher):
            self.pipeline.step()

    def catalogue(self, n: int = 20) -> None:
        """Put this many items, and encode their texts."""
        for k in range(n):
            self.item(k)
        self.run()

    def vector(self, n: int = 0, learner: Learner | None = None) -> np.ndarray | None:
        model = learner or self.arms.full
        catalogue = model.catalogues[model.index["books"]]
        row = catalogue.ids.get(f"i{n}")
        return catalogue.vectors[row].copy() if row is not None and catalogue.has_vector[row] else None


@pytest.fixture
def service() -> Service:
    made = Service()
    made.catalogue()
    return made


def test_a_push_of_the_whole_catalogue_encodes_nothing(service: Service) -> None:
    """Items with the same words keep their vectors, sold out or not, also while the encoder is busy."""
    before = [service.vector(k) for k in range(20)]
    assert all(vector is not None for vector in before)
    counts = service.encoding.counts.copy()
    service.encoding.open = False
    for k in range(20):
        service.item(k, available=k % 2 == 0)
    service.run()
    after = [service.vector(k) for k in range(20)]
    assert differences(before, after) == []
    assert service.encoding.pending() == {}
    assert service.encoding.counts == counts
    catalogue = service.arms.full.catalogues[1]
    assert [bool(catalogue.recommendable[catalogue.ids.get(f"i{k}")]) for k in (0, 1)] == [True, False]


def test_new_words_replace_the_vector_once_they_are_encoded(service: Service) -> None:
    """New words replace the vector once they are encoded; until then the old one stays."""
    old = service.vector()
    service.encoding.open = False
    service.item(0, title="something else")
    service.run()
    assert np.array_equal(service.vector(), old)
    service.encoding.open = True
    service.item(1)
    service.run()
    assert not np.array_equal(service.vector(), old)
    assert service.encoding.counts["something else"] == 1


def test_the_old_words_again_cancel_the_new(service: Service) -> None:
    """A change that is reverted before it was encoded changes nothing."""
    old, counts = service.vector(), service.encoding.counts.copy()
    service.encoding.open = False
    service.item(0, title="a mistake")
    service.item(0)
    service.run()
    assert service.encoding.pending() == {}
    service.encoding.open = True
    service.item(1)
    service.run()
    assert np.array_equal(service.vector(), old)
    assert service.encoding.counts == counts


@pytest.mark.parametrize("gone", [{"title": ""}, {"title": "  ", "text": ""}, None])
def test_without_words_the_vector_goes(service: Service, gone: dict[str, str] | None) -> None:
    """Without words the vector is removed at once; the same words later are encoded again."""
    old = service.vector()
    service.encoding.open = False
    if gone is None:
        service.send("items.books", "i0", None)
    else:
        service.item(0, **gone)
    service.run()
    assert service.vector() is None
    assert service.encoding.pending() == {}
    service.encoding.open = True
    service.item(0)
    service.run()
    assert np.allclose(service.vector(), old, atol=1e-6)
    assert service.encoding.counts["title 0 word0"] == 2


def test_pending_words_are_submitted_once() -> None:
    """A repeated event while its text waits causes one encoding; other words replace the waiting ones."""
    service = Service()
    service.encoding.open = False
    for _ in range(3):
        service.item(0)
    service.run()
    assert service.encoding.pending() == {("books", "i0"): "title 0 word0"}
    service.item(0, title="newer")
    service.run()
    assert service.encoding.pending() == {("books", "i0"): "newer"}


def test_words_that_wait_for_a_fit_are_not_encoded_again() -> None:
    """With too few texts for a projection the raw vectors wait, and are used when there are more."""
    service = Service()
    service.catalogue(3)
    assert service.vector() is None
    service.item(0)
    service.item(1, available=False)
    service.catalogue(20)
    assert service.vector() is not None
    assert max(service.encoding.counts.values()) == 1


def test_an_encoder_that_failed_is_asked_again(service: Service) -> None:
    """A text that got no vector is encoded at its next event, although its words are the same."""
    service.encoding.open = False
    service.item(50)
    service.run()
    service.encoding.waiting.clear()
    service.encoding.open = True
    service.item(50)
    service.run()
    assert service.vector(50) is not None


def test_a_row_from_interactions_gets_its_vector() -> None:
    """An item that was clicked before its item event gets its words encoded."""
    service = Service()
    service.send("interactions.books", "u", {"type": "click", "user_id": "u", "item_id": "i0"})
    service.catalogue()
    assert service.vector() is not None


def test_an_evicted_item_is_encoded_again() -> None:
    """An item that comes back after an eviction is encoded again, in its new row."""
    service = Service(items=20)
    service.catalogue(20)
    old = service.vector()
    service.item(99)
    service.run()
    assert service.vector() is None
    service.item(0)
    service.run()
    assert np.allclose(service.vector(), old, atol=1e-6)
    assert service.encoding.counts["title 0 word0"] == 2


def test_vectors_made_elsewhere_change_alone(service: Service) -> None:
    """While an image vector comes, changes and goes, the words' part stays bit for bit and nothing is encoded."""
    text, counts = service.vector(), service.encoding.counts.copy()
    projection = service.arms.full.intake.projection
    for vectors in (IMAGE, OTHER, IMAGE, {}):
        service.item(0, vectors=vectors)
        service.run()
        named = projection.project_named(vectors)
        assert np.array_equal(service.vector(), text if named is None else text + named)
    assert service.encoding.counts == counts


def test_vectors_made_elsewhere_stay_when_words_go(service: Service) -> None:
    """When the words go, the part of vectors made elsewhere stays."""
    service.item(0, vectors=IMAGE)
    service.item(0, vectors=IMAGE, title="")
    service.run()
    assert np.array_equal(service.vector(), service.arms.full.intake.projection.project_named(IMAGE))
    service.item(0, title="")
    service.run()
    assert service.vector() is None
