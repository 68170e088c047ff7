"""Measure the store's memory for a user, a list and an item: `python -m tests.bench.store_memory [USERS]`.

A store of its own, two domains of 2,000 items with titles, and users who clicked in both (2,000 by default); what the
queue makes of them is written by the publisher, and INFO asked before and after. Ids are those that are shown.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable

import redis

from consumers.demo.embedded_servers import Store
from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.threads import use_one_thread
from serving.contract import Keys, Write
from serving.publication.publication_queue import PublicationQueue
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.support.store.all_writes import all_writes

ITEMS = 2000
DOMAINS = ("movies", "books")
KINDS = {"item": "an item", "user": "a user's vector and counts", "rec": "a list of one user in one domain"}


def writes(users: int) -> list[Write]:
    """Return every write that publishes this many users and their items."""
    arms = ArmComparison([Domain(name) for name in DOMAINS], LearningSettings(users=users, compare=False))
    queue = PublicationQueue(arms, Keys(), time.time)
    for domain in DOMAINS:
        for n in range(ITEMS):
            arms.put_item(Item(domain, f"{domain}-{n:08}", title=f"A title of common length {n}"))
            queue.item(domain, f"{domain}-{n:08}", False, True)
    now = int(time.time() * 1000)
    for n in range(users):
        for domain in DOMAINS:
            user, item = f"user-{n:012}", f"{domain}-{n * 7 % ITEMS:08}"
            arms.learn([Interaction(domain, "click", user, item, now)])
            queue.event(user, domain, item, now)
    return all_writes(queue)


def used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def measure(url: str, all_writes: Iterable[Write]) -> dict[str, float]:
    """Return the bytes of a key, by kind."""
    by_kind: dict[str, list[Write]] = {}
    for write in all_writes:
        by_kind.setdefault(write.key.split(":")[1], []).append(write)
    found = {}
    publisher = Publisher(open_store(url), "cc:meta", 1)
    publisher.start()
    with redis.Redis.from_url(url) as client:
        for kind in KINDS:
            before = used(client)
            publisher.submit(by_kind[kind])
            assert publisher.flush(600)
            found[kind] = (used(client) - before) / len(by_kind[kind])
    publisher.close()
    return found


def main() -> None:
    use_one_thread()
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with Store() as store:
        made = writes(users)
        counted = Counter(write.key.split(":")[1] for write in made)
        for kind, held in measure(store.url, made).items():
            key = next(write.key for write in made if write.key.startswith(f"cc:{kind}:"))
            print(f"{KINDS[kind]}: {held:,.0f} bytes ({counted[kind]:,} keys such as {key})")


if __name__ == "__main__":
    main()
