"""Take everything that is due from a queue."""

from __future__ import annotations

from serving.contract import Write
from serving.publication.publication_queue import PublicationQueue


def all_writes(queue: PublicationQueue, spare: bool = True) -> list[Write]:
    """Return all writes that are due. spare: whether there is time for all lists, and not for the first ones only."""
    return [*queue.records(), *queue.more(lambda: spare)]
