"""Keep the items that were seen while a topic is read anew, so that the others can be removed."""

from __future__ import annotations

from collections.abc import Iterator, Set

from consumers.events.record import Record


class ItemsReadAnew:
    """The ids of the items that came from each topic since its reading began anew. Other topics are ignored."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def begin(self, topics: Set[str]) -> Set[str]:
        """Follow these topics. Return those that are new."""
        begun = topics - self._seen.keys()
        self._seen |= {topic: set() for topic in begun}
        return begun

    def item(self, topic: str, item_id: str) -> None:
        """Note that the topic has a record of this item."""
        if topic in self._seen:
            self._seen[topic].add(item_id)

    def rejected(self, record: Record) -> None:
        """Note that the topic holds a record that cannot be used. Its key names the item, which stays."""
        if record.topic in self._seen and record.key is not None:
            self._seen[record.topic].add(record.key.decode(errors="replace"))

    def end(self, topics: Set[str]) -> Iterator[tuple[str, set[str]]]:
        """Yield each topic that is no longer among `topics`, with the ids of its items, and remove it here."""
        for topic in sorted(self._seen.keys() - topics):
            yield topic, self._seen.pop(topic)
