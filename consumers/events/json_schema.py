"""Write JSON Schema for the values of records, from the structs that decode them and the limits that are checked.

Every schema is whole by itself, and means the same in draft 7 and in 2020-12.
"""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.attribute_docs import attribute_docs
from consumers.events.decode import SECONDS_LIMIT
from consumers.events.fields import ForgetFields, ImpressionFields, InteractionFields, ItemFields
from consumers.events.rejection import (
    CONTEXT_LIMIT,
    ID_LIMIT,
    ITEMS_LIMIT,
    TAG_LIMIT,
    TAGS_LIMIT,
    VECTOR_WIDTH_LIMIT,
    VECTORS_LIMIT,
)
from consumers.events.rules import IMPRESSION, Rules

Schema = dict[str, Any]
ID: Schema = {"type": "string", "minLength": 1, "maxLength": ID_LIMIT}
NUMBERED: Schema = {"anyOf": [ID, {"type": "integer"}]}
_OF_EVENT: Schema = {"anyOf": [ID, {"type": ["integer", "null"]}]}
"""An optional id where whole numbers are ids too."""
_TAG = rf"\s*[^,\s]([^,]{{0,{TAG_LIMIT - 2}}}[^,\s])?\s*"
"""A tag in text, with the white space around it that is cut off."""
_LIMITS: dict[str, Schema] = {
    "timestamp": {"type": ["integer", "null"], "minimum": SECONDS_LIMIT},
    "list_ts": {"type": ["integer", "null"], "minimum": SECONDS_LIMIT},
    "event_id": ID | {"type": ["string", "null"]},
    "impression": ID | {"type": ["string", "null"]},
    "context": {
        "type": ["object", "null"],
        "maxProperties": CONTEXT_LIMIT,
        "additionalProperties": {"type": ["number", "string"]},
    },
    "tags": {
        "anyOf": [
            {
                "type": "array", "maxItems": TAGS_LIMIT,
                "items": {"type": "string", "minLength": 1, "maxLength": TAG_LIMIT, "pattern": "^[^,]*$"},
            },
            {"type": "string", "pattern": f"^{_TAG}(,{_TAG}){{0,{TAGS_LIMIT - 1}}}$"},
            {"type": "null"},
        ],
    },
    "vectors": {
        "type": ["object", "null"],
        "maxProperties": VECTORS_LIMIT,
        "additionalProperties": {
            "type": "array", "minItems": 1, "maxItems": VECTOR_WIDTH_LIMIT, "items": {"type": "number"},
        },
    },
}  # fmt: skip
"""What a field may hold, where the type of its attribute says less."""


def interactions_schema(rules: Rules, rating_range: tuple[float, float] | None) -> Schema:
    """Return the schema of a topic of interactions, which holds impressions too; see `interaction_schema`."""
    events, shown = interaction_schema(rules, rating_range), impression_schema(rules)
    examples = [*events.pop("examples"), *shown.pop("examples")]
    return {
        "title": "Interaction",
        "description": "A click, a rating, an event of an own type, or an impression.",
        "type": "object",
        "if": {"required": ["type"], "properties": {"type": {"const": IMPRESSION}}},
        "then": shown,
        "else": events,
        "examples": examples,
    }


def impression_schema(rules: Rules) -> Schema:
    """Return the schema of impressions."""
    ids = NUMBERED if rules.any_ids else ID
    items = {"type": "array", "minItems": 1, "maxItems": ITEMS_LIMIT, "items": ids}
    limits = {"type": {"const": IMPRESSION}, "user_id": ids, "items": items} | _of_events(rules, "event_id")
    example = {
        "type": IMPRESSION, "user_id": "alice", "items": ["dune", "solaris", "emma"],
        "timestamp": 1795871572705, "event_id": "p81",
    }  # fmt: skip
    return _of(ImpressionFields, limits) | {"examples": [example]}


def interaction_schema(rules: Rules, rating_range: tuple[float, float] | None) -> Schema:
    """Return the schema of clicks and ratings. rating_range: the domain's; None: any number is a rating."""
    types = {"type": "string", "enum": ["click", "rating", *rules.types]}
    ids = NUMBERED if rules.any_ids else ID
    limits = {"type": types, "user_id": ids, "item_id": ids} | _of_events(rules, "event_id", "impression")
    schema = _of(InteractionFields, limits)
    rating: Schema = {"type": "number"}
    if rating_range is not None:
        rating |= {"minimum": rating_range[0], "maximum": rating_range[1]}
    return schema | {
        "if": {"properties": {"type": {"const": "rating"}}},
        "then": {"required": ["value"], "properties": {"value": rating}},
        "examples": [
            {"type": "click", "user_id": "alice", "item_id": "dune"},
            {
                "type": "rating",
                "user_id": "alice",
                "item_id": "dune",
                "value": 5 if rating_range is None else rating_range[1],
                "timestamp": 1795871572705,
                "event_id": "7f3a",
                "context": {"device": "tv"},
            },
        ],
    }


def _of_events(rules: Rules, *names: str) -> dict[str, Schema]:
    """Return what ids of events may be, where the config takes whole numbers."""
    return dict.fromkeys(names, _OF_EVENT) if rules.any_ids else {}


def item_schema(rules: Rules) -> Schema:
    """Return the schema of items. A record without a value, which removes an item, has none."""
    example = {"item_id": "dune", "title": "Dune", "text": "A desert planet, a prophecy, giant worms."}
    return _of(ItemFields, {"item_id": NUMBERED if rules.any_ids else ID}) | {"examples": [example]}


def forget_schema() -> Schema:
    """Return the schema of requests to forget."""
    timestamp = {"type": "integer", "minimum": SECONDS_LIMIT}
    return _of(ForgetFields, {"timestamp": timestamp}) | {
        "examples": [{"timestamp": 1795871572705, "key": ""}]
    }


def _of(struct: type[msgspec.Struct], limits: dict[str, Schema]) -> Schema:
    """Return the schema of a struct with what its attributes say. limits: of fields, before `_LIMITS`."""
    (schema,) = msgspec.json.schema(struct)["$defs"].values()
    meanings = attribute_docs(struct)
    properties = {}
    for name, found in schema["properties"].items():
        own = limits.get(name) or _LIMITS.get(name) or {k: v for k, v in found.items() if k != "default"}
        properties[name] = {"description": " ".join(meanings[name].split()), **own}
    title = struct.__name__.removesuffix("Fields")
    return {
        "title": title,
        "description": schema["description"],
        "type": "object",
        "required": schema["required"],
        "properties": properties,
    }
