"""Guess which topic an event is meant for, from the fields that it has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from consumers.config.formats import FIELDS, NAMES, TopicConfig
from consumers.config.schema import Settings
from consumers.formats.mapping import steps

TELLING = {
    "interactions": tuple(name for name in NAMES["interactions"] if name not in ("item_id", "timestamp")),
    "items": FIELDS["items"][1:],
}
"""The fields that only one kind of topic has."""


class Guess(NamedTuple):
    """A topic, and the others that fit as well."""

    topic: str
    others: list[str]


def parse(value: bytes) -> Any:
    """Return what a value holds; None if it is not JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def guess(settings: Settings, parsed: Any) -> Guess:
    """Return the topic with the most of its fields in a value; a topic of interactions if none has any."""
    points: dict[str, tuple[int, int]] = {}
    for topic, kind, config in settings.topic_formats():
        telling = _found(parsed, config, TELLING[kind])
        points[topic] = (telling, _found(parsed, config, NAMES[kind]) if telling else 0)
    best = max(points.values())
    fitting = [topic for topic, count in points.items() if count == best]
    if not any(best):
        kinds = {topic: kind for topic, kind, _ in settings.topic_formats()}
        fitting = [topic for topic in fitting if kinds[topic] == "interactions"]
    return Guess(fitting[0], fitting[1:])


def unused(parsed: Any) -> list[str]:
    """Return the names of fields that are in a value and not in the contract."""
    known = {*NAMES["interactions"], *NAMES["items"]}
    return sorted(set(parsed) - known) if isinstance(parsed, dict) else []


def _found(parsed: Any, config: TopicConfig, names: Iterable[str]) -> int:
    """Return how many of these fields are in a value."""
    return sum(any(_is_there(parsed, path) for path in _paths(config, name)) for name in names)


def _paths(config: TopicConfig, name: str) -> list[tuple[str, ...]]:
    return [steps(config.unwrap, text) for text in config.paths(name)]


def _is_there(value: Any, path: tuple[str, ...]) -> bool:
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True
