"""Compare store, dead letters and checkpoints with what a `Feed` has sent; see `calm.py`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import redis

from consumers.cli.explain import load_arms
from consumers.config.schema import Settings
from consumers.dead_letters.topic_reader import LetterLog
from models.state.checkpoint import CheckpointDirectory
from serving.client import Reader
from tests.soak.parts.steady_feed import Feed

SAMPLE = 100
"""Users whose lists are checked."""


def counts(settings: Settings, feed: Feed) -> dict[tuple[str, str], int]:
    """Return the events ever learned by (user, domain), as published."""
    found: dict[tuple[str, str], int] = {}
    with (
        redis.Redis.from_url(settings.redis.url, legacy_responses=False) as store,
        store.pipeline(transaction=False) as pipeline,
    ):
        users = feed.users()
        for user in users:
            pipeline.hgetall(f"{settings.redis.prefix}:user:{{{user}}}")
        for user, fields in zip(users, pipeline.execute(), strict=True):
            for name, count in fields.items():
                if name.startswith(b"events:"):
                    found[user, name.decode().removeprefix("events:")] = int(count)
    return {place: count for place, count in found.items() if count}


def lists_are_right(settings: Settings, feed: Feed) -> bool:
    """Return whether some users have their own list, without sold-out items and items that they had."""
    reader = Reader(settings.redis.url, settings.redis.prefix)
    for user, domain in sorted(feed.learned)[:SAMPLE]:
        got = reader.recommend(user, domain, 50)
        listed = {item.id for item in got.items}
        if got.origin != "personal" or listed & (feed.sold_out | feed.seen[user, domain]):
            return False
    return True


def letters_are_right(settings: Settings, feed: Feed) -> bool:
    """Return whether the letters are the bad records. Copies, after a crash, name the same place."""
    places: dict[bytes, set[tuple[str, str, str]]] = {}
    with LetterLog(settings.kafka) as log:
        for letter in log.letters():
            h = letter.headers
            places.setdefault(letter.value or b"", set()).add((h["topic"], h["partition"], h["offset"]))
    return set(places) == feed.bad and all(len(found) == 1 for found in places.values())


def saved_offsets(settings: Settings) -> dict[tuple[str, int], int]:
    """Return the next offsets of the interactions, as in the newest checkpoint."""
    state, _ = CheckpointDirectory(Path(settings.checkpoint.directory), read_only=True).load()
    offsets = state["offsets"] if state is not None else []
    return {(t, p): offset for t, p, offset in offsets if t.startswith("interactions.")}


def state_is_right(settings: Settings, feed: Feed) -> bool:
    """Return whether all users' counts and seen sets in the newest checkpoint are those of the events sent."""
    learner = load_arms(settings).full
    users = set(feed.users())
    known = {user: row for user, row in learner.users.items() if user in users}
    learned: Counter[tuple[str, str]] = Counter()
    seen: dict[tuple[str, str], set[str]] = {}
    for domain, index in learner.index.items():
        ids = {row: item for item, row in learner.catalogues[index].ids.items()}
        for user, row in known.items():
            learned[user, domain] = int(learner.history.events[row, index])
            seen[user, domain] = {ids[item] for item in learner.history.seen_rows(row, index).tolist()}
    sent = {place: items for place, items in feed.seen.items() if items}
    return +learned == feed.learned and {place: items for place, items in seen.items() if items} == sent
