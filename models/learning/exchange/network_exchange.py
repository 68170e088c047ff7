"""Publish a learner's network and texts' basis for other learners, and take in what another has published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.learning.learner import Learner
from models.network.network_learner import NetworkLearner
from models.network.published.packing import (
    Array,
    Dense,
    PublishedRows,
    Texts,
    WeightsError,
    array,
    pack,
    unpack,
)
from models.network.published.publication import Keyed, Publication
from models.network.published.published_network import PublishedNetwork


class NetworkPublisher:
    """Publishes the network of a learner that trains it."""

    def __init__(self, learner: Learner) -> None:
        assert isinstance(learner.network, NetworkLearner), "it trains its network"
        self._learner, self._publication = learner, Publication(learner.network)
        self._texts: bytes | None = None
        """The basis as it was last published."""

    def records(self, now: int, texts: bytes | None) -> Iterator[Keyed]:
        """Yield what to publish now. now: Unix ms. texts: the basis, of `texts`."""
        if texts is not None and texts != self._texts:
            self._texts = texts
            yield Keyed(b"texts", texts)
        yield from self._publication.records(now)

    def texts(self) -> bytes | None:
        """Return the basis of texts as a record; None before the first fit.

        Publish it only once a checkpoint holds it: a basis that is fitted anew after a crash would be another one, and
        copies have let go of texts that they have projected.
        """
        basis = self._learner.intake.projection.basis
        if basis.mean is None:
            return None
        held = basis.state()
        return pack(Texts(array(held["mean"]), array(held["columns"]), held["claims"]))


class OtherDomainsError(WeightsError):
    """The published network was trained on other domains than this learner has."""


def take_in(learner: Learner, record: bytes) -> Dense | None:
    """Let a learner that follows published weights take in a record. Return the weights if they are complete with it.

    Raises WeightsError, and changes nothing then.
    """
    network, found = learner.network, unpack(record)
    assert isinstance(network, PublishedNetwork), "it follows published weights"
    if isinstance(found, Texts):
        try:
            learner.intake.follow_basis(_basis(found))
        except ValueError as error:
            raise WeightsError(
                f"{error}: the checkpoint of crosscurrent network or of this shard was lost, or is of another service. "
                "Restore it, or start the network and all shards from empty checkpoint directories."
            ) from error
        return None
    if found.domains != list(learner.index):
        raise OtherDomainsError(f"the published network has the domains {', '.join(found.domains)}")
    if isinstance(found, PublishedRows):
        network.take_rows(found, lambda domain, item: row_with_room(learner, domain, item))
        for domain, catalogue in enumerate(learner.catalogues):
            learner.ranker.statistics.reserve(domain, catalogue.size)
        return None
    network.take_dense(found)
    return found


def _basis(texts: Texts) -> dict[str, Any]:
    def copied(one: Array) -> Any:
        return one.numpy().copy()

    return {"mean": copied(texts.mean), "columns": copied(texts.columns), "claims": texts.claims}


def row_with_room(learner: Learner, domain: int, item: str) -> int:
    """Return the item's row, a new one while there is room: the fact that made it known may come later.

    Without room it gets none, because another would lose its row. Its own row is published again when it is learned.
    """
    ids = learner.catalogues[domain].ids
    row = ids.get(item)
    if row is None:
        row = learner.rows.item(domain, item) if len(ids) < ids.capacity else -1
    return row
