"""Write the contract of all topics as one document: JSON Schema, or AsyncAPI 3."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from consumers.cli.producers.topics import ANY_DOMAIN, Topic

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(topics: Iterable[Topic]) -> dict[str, Any]:
    """Return the schemas of values by topic, in `$defs`; of a single topic, its schema itself."""
    every = list(topics)
    if len(every) == 1:
        return {"$schema": DRAFT} | every[0].schema
    return {"$schema": DRAFT, "title": "Crosscurrent", "$defs": {topic.name: topic.schema for topic in every}}


def asyncapi(topics: Iterable[Topic], servers: Iterable[str]) -> dict[str, Any]:
    """Return an AsyncAPI 3 document. servers: host:port of brokers. Ids hold only letters, digits, _, . and -."""
    every = {_id(topic.name): topic for topic in topics}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Crosscurrent",
            "version": version("crosscurrent"),
            "description": "What event producers write to Kafka, and what the service writes there.",
        },
        "defaultContentType": "application/json",
        "servers": {
            f"kafka-{n}": {"host": server, "protocol": "kafka"} for n, server in enumerate(servers, 1)
        },
        "channels": {name: _channel(name, topic) for name, topic in every.items()},
        "operations": {
            f"{action}-{name}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{topic.kind}"}],
            }
            for name, topic in every.items()
            for action in topic.actions
        },
        "components": {"messages": {name: _message(topic) for name, topic in every.items()}},
    }


def _id(name: str) -> str:
    return name.replace("{", "").replace("}", "")


def _channel(name: str, topic: Topic) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.name,
        "description": topic.summary,
        "messages": {topic.kind: {"$ref": f"#/components/messages/{name}"}},
    }
    if ANY_DOMAIN in topic.name:
        channel["parameters"] = {"domain": {"description": "A domain of the config."}}
    return channel


def _message(topic: Topic) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": topic.kind,
        "summary": topic.summary,
        "payload": topic.schema,
        "bindings": {"kafka": {"key": topic.key, "bindingVersion": "0.5.0"}},
    }
    if topic.headers is not None:
        message["headers"] = topic.headers
    return message
