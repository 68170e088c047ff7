"""Guess which topic an event is meant for, from the fields that it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from consumers.config.formats import FIELDS, NAMES, TopicConfig
from consumers.config.schema import Settings
from consumers.formats.mapping import deleted_part, steps

TELLING = {
    "interactions": tuple(name for name in NAMES["interactions"] if name not in ("item_id", "timestamp")),
    "items": FIELDS["items"][1:],
}
"""The fields that only one kind of topic has."""


_NOTHING = object()


class Guess(NamedTuple):
    """A topic, and the others that fit as well."""

    topic: str
    others: list[str]


def guess(settings: Settings, parsed: Any) -> Guess:
    """Return the topic with the most of its fields in a value; a topic of interactions if none has any."""
    points = {topic: _points(parsed, kind, config) for topic, kind, config in settings.topic_formats()}
    best = max(points.values())
    fitting = [topic for topic, count in points.items() if count == best]
    if not any(best):
        kinds = {topic: kind for topic, kind, _ in settings.topic_formats()}
        fitting = [topic for topic in fitting if kinds[topic] == "interactions"]
    return Guess(fitting[0], fitting[1:])


def _points(parsed: Any, kind: str, config: TopicConfig) -> tuple[int, int, bool]:
    """Return how well a value fits a topic: telling fields, all fields, and whether the topic's envelope is there."""
    envelope = bool(config.unwrap) and _is_there(parsed, steps("", config.unwrap))
    telling = _found(parsed, config, TELLING[kind])
    return telling, _found(parsed, config, NAMES[kind]) if telling or envelope else 0, envelope


def _found(parsed: Any, config: TopicConfig, names: Iterable[str]) -> int:
    """Return how many of these fields are in a value: of a deleted row, in the row as it was before."""
    unwraps = [config.unwrap]
    if config.unwrap and _at(parsed, steps("", config.unwrap)) is None:
        unwraps.append(".".join(deleted_part(config.unwrap)))
    paths = {
        name: [steps(unwrap, text) for unwrap in unwraps for text in config.paths(name)] for name in names
    }
    return sum(any(_is_there(parsed, path) for path in of_name) for of_name in paths.values())


def _is_there(value: Any, path: tuple[str, ...]) -> bool:
    return _at(value, path, _NOTHING) is not _NOTHING


def _at(value: Any, path: tuple[str, ...], default: Any = None) -> Any:
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value
