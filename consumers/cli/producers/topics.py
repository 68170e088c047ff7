"""List the topics of a config with the schemas of their records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from consumers.config.checks import DOMAIN_NAME
from consumers.config.schema import DomainConfig, Settings
from consumers.dead_letters.sink import HEADERS
from consumers.events.json_schema import ID, Schema, forget_schema, interactions_schema, item_schema
from consumers.events.rejection import Reason
from consumers.events.rules import Rules, rules_of
from serving.client.pseudonyms import LENGTH

ANY_DOMAIN = "{domain}"
"""Stands for a domain's name where there is no config."""


class Topic(NamedTuple):
    """One topic. schema: of a value; headers: of a record's headers, or None. key: what a record's key is."""

    name: str
    kind: str
    summary: str
    schema: Schema
    key: Schema
    actions: tuple[str, ...]
    """What the service does with it: `receive`, `send`."""
    headers: Schema | None = None


def domain_in(topic: str | None) -> str:
    """Return the domain that a topic's default name holds; the stand-in if it holds none."""
    kind, _, domain = (topic or "").partition(".")
    return domain if kind in ("interactions", "items") and DOMAIN_NAME.fullmatch(domain) else ANY_DOMAIN


def topics(settings: Settings, domain: str = ANY_DOMAIN) -> Iterator[Topic]:
    """Yield every topic. Without domains in the config, yield those of `domain`."""
    rules, kafka = rules_of(settings), settings.kafka
    for name, config in settings.domains.items():
        yield from _of_domain(name, config, rules, config.rating_range)
    if not settings.domains:
        stand_in = DomainConfig(interactions_topic=f"interactions.{domain}", items_topic=f"items.{domain}")
        yield from _of_domain(domain, stand_in, rules, None)
    yield Topic(
        kafka.forget_topic, "forget", "Requests to forget a user, written by `crosscurrent forget`",
        forget_schema(), _text(f"The hash that stands for the user, {LENGTH} characters."), ("receive",),
    )  # fmt: skip
    yield Topic(
        kafka.dead_letter_topic, "dead-letters", "Records that could not be used",
        {"title": "DeadLetter", "description": "The raw value of the record, whatever it is."},
        {"description": "The raw key of the record."}, ("send",), _headers(),
    )  # fmt: skip


def _of_domain(
    name: str, domain: DomainConfig, rules: Rules, rating_range: tuple[float, float] | None
) -> Iterator[Topic]:
    for kind, topic, fields, key in (
        ("interactions", domain.interactions, interactions_schema(rules, rating_range), "user_id"),
        ("items", domain.items, item_schema(rules), "item_id"),
    ):
        what = "Clicks, ratings, other events, impressions" if kind == "interactions" else "Items, compacted"
        if not topic.is_contract:
            note = f"The schema is that of the fields after [domains.{name}.{kind}] has found them ({topic.format})"
            what += f". {note}"
            comment = (
                f"{note}: a record as it is written may fail it; crosscurrent check-event reads such records."
            )
            fields |= {"description": f"{fields['description']} {comment}", "$comment": comment}
        address = domain.interactions_topic if kind == "interactions" else domain.items_topic
        yield Topic(
            address, kind, f"{what}: domain {name}", fields, ID | {"description": f"The {key}."}, ("receive",)
        )


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _headers() -> Schema:
    optional = {"null_record", "truncated", "length"}
    properties: dict[str, Any] = {name: _text(says) for name, says in HEADERS.items()}
    properties["reason"]["enum"] = list(get_args(Reason))
    return {
        "type": "object",
        "required": [name for name in HEADERS if name not in optional],
        "properties": properties,
    }
