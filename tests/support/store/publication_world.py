"""Make learners with a publication queue, a clock, and the content of a store."""

from __future__ import annotations

from typing import Any

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.state.snapshot import snapshot
from models.state.tracked_tables import full_state
from serving.contract import Keys, Write, decode_list
from serving.publication.publication_queue import PublicationQueue
from serving.publication.record_builder import ListOptions
from tests.support.learners.states import decoded
from tests.support.store.all_writes import all_writes

START = 1_700_000_000_000


TTL = 1000


DOMAINS = [Domain("movies"), Domain("books", "target"), Domain("notes", recommend=False)]


class World:
    """Arms, a publication queue on them, a clock, and what the store would hold."""

    def __init__(
        self,
        users: int = 64,
        items: int = 60,
        domains: list[Domain] = DOMAINS,
        top: int = 5,
        **options: Any,
    ) -> None:
        """options: of `ListOptions`."""
        self.now = START / 1000
        self.arms = ArmComparison(
            domains, LearningSettings(users=users, items_per_domain=items, compare=False)
        )
        lists = ListOptions(**{"top": top, "explain_top": 2, "ttl_seconds": TTL} | options)
        self.queue = PublicationQueue(self.arms, Keys("cc"), lambda: self.now, lists, START)
        self.store: dict[str, Write] = {}

    def item(self, name: str, domain: str = "movies", **fields: Any) -> None:
        item = Item(domain, name, title=name.upper(), **fields)
        self.arms.put_item(item)
        self.queue.item(domain, name, item.removed, item.available)

    def event(self, user: str, item: str, domain: str = "movies", born: int = START) -> None:
        self.arms.learn([Interaction(domain, "click", user, item, START)])
        self.queue.event(user, domain, item, born)

    def publish(self, spare: bool = True) -> list[Write]:
        """Publish one round, as the pipeline does."""
        evicted, self.arms.full.rows.evicted = self.arms.full.rows.evicted, []
        self.queue.items_evicted(evicted)
        writes = all_writes(self.queue, spare)
        for write in writes:
            if write.kind == "delete":
                self.store.pop(write.key, None)
            else:
                self.store[write.key] = write
        return writes

    def list(self, user: str, domain: str = "movies") -> list[str]:
        write = self.store.get(f"cc:rec:{{{user}}}:{domain}")
        return [] if write is None else [i.id for i in decode_list(write.value).items]

    def similar(self, item: str, domain: str = "movies") -> list[str] | None:
        """Return the neighbours in the store, None if it has no such key."""
        write = self.store.get(f"cc:similar:{domain}:{item}")
        return None if write is None else [i.id for i in decode_list(write.value).items]

    def restarted(self) -> World:
        """Return the world of a new process with this state. The store stays."""
        state = decoded(snapshot({"arms": self.arms.state(), "outbox": full_state(self.queue.live([]))}))
        other = World()
        other.arms.load(state["arms"])
        other.queue.load(state["outbox"])
        other.store, other.now = self.store, self.now
        return other


def keys(writes: list[Write]) -> set[str]:
    return {w.key for w in writes}
