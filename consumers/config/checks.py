"""Check the config as a whole: values out of range, topics used twice, keys left empty."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from consumers.config import format_checks, kafka_checks, shards, store, text_encoder
from consumers.config.experiments import problems as experiments
from consumers.config.experiments.keys import overridden
from consumers.config.formats import TYPES
from consumers.config.schema import DomainConfig, Settings
from serving.client.pseudonyms import KEY_LENGTH

DOMAIN_NAME = re.compile(r"[a-z0-9_-]+")
TYPE_NAME = re.compile(r"[\w.-]{1,40}")
MOST_TYPES = 100
MOST_WEIGHT = 100.0
MOST_EXPLORE = 5.0

_ABOVE_ZERO = {
    "intake": ("batch_events", "batch_ms", "network_events", "max_record_bytes", "max_consecutive_invalid"),
    "publish": ("interval_ms", "top", "ttl_seconds", "max_backlog", "refresh_seconds", "lists_within_ms"),
    "learner": ("users", "seen_items", "items_per_domain"),
    "checkpoint": ("interval_seconds",),
    "kafka": ("canary_seconds",),
    "shards": ("share_ms", "network_ms", "alone_seconds"),
    "text_encoder": ("batch", "connect_seconds", "read_seconds"),
    "impressions": ("window_seconds",),
}


class Needs(NamedTuple):
    """What a command needs. domains: at least one. shard: the index of its own."""

    domains: bool = True
    shard: bool = True


def problems(settings: Settings, needs: Needs) -> Iterator[str]:
    """Yield a line for each problem, which begins with the path of its key and a colon."""
    if needs.domains and not settings.domains:
        yield "domains: name at least one, as [domains.movies]"
    owners: dict[str, str] = {}
    """Topic to the key that names it."""
    for key in ("dead_letter_topic", "forget_topic", "canary_topic"):
        topic = getattr(settings.kafka, key)
        if not topic and key != "canary_topic":
            yield f"kafka.{key}: name a topic"
        if topic in owners:
            yield f"kafka.{key}: topic {topic} is taken by {owners[topic]}"
        owners[topic] = f"kafka.{key}"
    if settings.shards.several:
        for key in ("facts_topic", "reroute_topic", "model_topic"):
            topic = getattr(settings.shards, key)
            if topic in owners:
                yield f"shards.{key}: topic {topic} is taken by {owners[topic]}"
            owners[topic] = f"shards.{key}"
    for name, domain in settings.domains.items():
        yield from _domain_problems(name, domain, owners)
        yield from format_checks.problems(f"domains.{name}", domain, settings)
    yield from _event_problems(settings)
    yield from _number_problems(settings)
    yield from _experiment_problems(settings)
    yield from kafka_checks.problems(settings.kafka)
    yield from store.problems(settings.redis)
    yield from shards.problems(settings.shards, needs.shard)
    yield from format_checks.registry_problems(settings.schema_registry)
    yield from text_encoder.problems(settings.text_encoder)
    for key in _empty_keys(settings, ""):
        yield f"{key}: it is empty; give it a value or leave it out"


def _domain_problems(name: str, domain: DomainConfig, owners: dict[str, str]) -> Iterator[str]:
    if not DOMAIN_NAME.fullmatch(name):
        yield f"domains.{name}: a name matches [a-z0-9_-]+"
    low, high = domain.rating_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        yield f"domains.{name}.rating_range: two finite values, the first below the second"
    for kind in ("interactions", "items"):
        topic, owner = getattr(domain, f"{kind}_topic"), f"domains.{name}.{kind}_topic"
        if topic in owners:
            yield f"{owner}: topic {topic} is taken by {owners[topic]}"
        owners[topic] = owner


def _event_problems(settings: Settings) -> Iterator[str]:
    if settings.events and settings.shards.several:
        yield (
            f"shards.count: must be 1 with types of events of your own ([events.{next(iter(settings.events))}]), "
            "because shards do not tell each other the type of an event. Remove [events], or run one process"
        )
    if len(settings.events) > MOST_TYPES:
        yield f"events: at most {MOST_TYPES} types"
    for name, own in settings.events.items():
        if name in TYPES:
            yield f"events.{name}: this type has its meaning; give yours another name"
        if not TYPE_NAME.fullmatch(name):
            yield f"events.{name}: a name has 1 to 40 letters, digits, _, . and -"
        if not 1 / MOST_WEIGHT <= own.weight <= MOST_WEIGHT:
            yield f"events.{name}.weight: must be from {1 / MOST_WEIGHT:g} to {MOST_WEIGHT:g}"


def _experiment_problems(settings: Settings) -> Iterator[str]:
    """Yield problems of the experiments, and of what their arms override."""
    found = list(experiments.problems(settings))
    yield from found
    for name, one in settings.experiments.items() if not found else ():
        for arm, overrides in one.arms.items():
            for problem in _number_problems(overridden(settings, overrides)):
                yield f"experiments.{name}.arms.{arm}.{problem}"


def _number_problems(settings: Settings) -> Iterator[str]:
    for section, keys in _ABOVE_ZERO.items():
        for key in keys:
            if not getattr(getattr(settings, section), key) > 0:
                yield f"{section}.{key}: must be above 0"
    if not 0 <= settings.metrics.port <= 65_535:
        yield "metrics.port: must be from 0 (any free one) to 65535"
    if not 0 <= settings.ranker.diversity <= 1:
        yield "ranker.diversity: must be in [0, 1]"
    if not 0 <= settings.ranker.explore <= MOST_EXPLORE:
        yield f"ranker.explore: must be from 0 to {MOST_EXPLORE:g}; 1 is recommended"
    if settings.ranker.explore > 0 and settings.ranker.diversity > 0:
        yield (
            "ranker.explore: must be 0 with ranker.diversity, which changes the order of a list, so that the "
            "probabilities of its places would be wrong. Readers can ask for diversity instead"
        )
    if settings.publish.similar < 0 or settings.publish.similar_seconds < 0:
        yield "publish.similar, publish.similar_seconds: must not be negative"
    if not 0 < settings.intake.max_invalid_ratio <= 1:
        yield "intake.max_invalid_ratio: must be in (0, 1]"
    if settings.privacy.key is not None and len(settings.privacy.key) < KEY_LENGTH:
        yield f"privacy.key: a secret of at least {KEY_LENGTH} characters"


def _empty_keys(table: Any, path: str) -> Iterator[str]:
    """Yield the keys that hold "", except those where "" means no canaries or the default name of a topic."""
    for field in msgspec.structs.fields(table):
        value = getattr(table, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _empty_keys(value, f"{path}{field.name}.")
        elif isinstance(value, dict):
            for name, one in value.items():
                if isinstance(one, msgspec.Struct):
                    yield from _empty_keys(one, f"{path}{field.name}.{name}.")
        elif value == "" and field.default != "" and field.name != "canary_topic":
            yield f"{path}{field.name}"
