"""Say how near `Reader.rank` comes to the published lists: `python -m tests.bench.rank_agreement URL DOMAIN`.

The service ranks with more than it publishes. For users with a list in the store, this ranks without the list
(`use_list=False`) and prints, as means over the users:
- Kendall's tau between the list's order and that of `rank` on the same items: 1 for the same, 0 for a random order;
- how many of the list's first ten are among the first ten of `rank` on all items of the domain, beside the number that
  the most popular ten get.
"""

# ruff: noqa: T201  a script
from __future__ import annotations

import random
import sys
from collections.abc import Sequence

import redis

from serving.client import Reader
from serving.contract import Keys, decode_list

USERS, ITEMS, FIRST = 200, 5_000, 10


def tau(order: Sequence[str], other: Sequence[str]) -> float:
    """Return Kendall's tau of two orders of the same items.

    >>> tau("abc", "abc"), tau("abc", "cba")
    (1.0, -1.0)
    """
    place = {item: n for n, item in enumerate(other)}
    pairs = [(a, b) for n, a in enumerate(order) for b in order[n + 1 :]]
    agreeing = sum(place[a] < place[b] for a, b in pairs)
    return 2 * agreeing / len(pairs) - 1 if pairs else 1.0


def measure(url: str, domain: str, prefix: str = "cc") -> dict[str, float]:
    """Return the means over the users with a list."""
    keys = Keys(prefix)
    with (
        redis.Redis.from_url(url, legacy_responses=False) as client,
        Reader(url, prefix, timeout=30) as reader,
    ):
        lists = [key.decode() for key in client.scan_iter(keys.pattern(f"rec:*:{domain}"), count=1000)]
        users = [user for key in sorted(lists) if (user := keys.owner(key)) is not None]
        users = random.Random(0).sample(users, min(USERS, len(users)))
        found = client.scan_iter(keys.pattern(f"item:{domain}:*"), count=1000)
        pairs = [pair for key in found if (pair := keys.item_of(key.decode())) is not None]
        items = [item for _, item in pairs][:ITEMS]
        popular = _popular(client, keys, domain, items)
        taus, hits, popular_hits = [], [], []
        for user in users:
            data = client.get(keys.recommendations(user, domain))
            if not isinstance(data, bytes):
                continue
            listed = [item.id for item in decode_list(data).items]
            ranked = [item.id for item in reader.rank(user, domain, listed, use_list=False)]
            taus.append(tau(listed, ranked))
            best = [item.id for item in reader.rank(user, domain, items, use_list=False)[:FIRST]]
            hits.append(len(set(listed[:FIRST]) & set(best)))
            popular_hits.append(len(set(listed[:FIRST]) & set(popular)))
    mean = {name: sum(v) / len(v) for name, v in (("tau", taus), ("hits", hits), ("popular", popular_hits))}
    return {"users": len(taus), "items": len(items), **mean}


def _popular(client: redis.Redis, keys: Keys, domain: str, items: Sequence[str]) -> list[str]:
    pipeline = client.pipeline(transaction=False)
    for item in items:
        pipeline.hget(keys.item(domain, item), "popularity")
    counts = [float(answer or 0) for answer in pipeline.execute()]
    order = sorted(range(len(items)), key=lambda at: -counts[at])
    return [items[at] for at in order[:FIRST]]


def main() -> None:
    """Print the figures of one domain."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.bench.rank_agreement redis://localhost:6379/0 DOMAIN")
    figures = measure(*sys.argv[1:])
    print(f"{figures['users']} users, {figures['items']:,} items of {sys.argv[2]}")
    print(f"Kendall's tau on the list's items: {figures['tau']:.2f}")
    print(
        f"of the list's first ten, among the first ten of all items: {figures['hits']:.1f} "
        f"(the ten most popular: {figures['popular']:.1f})"
    )


if __name__ == "__main__":
    main()
