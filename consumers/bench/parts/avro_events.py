"""Write events in Avro, framed as Confluent's serializers frame them, with a schema of their own in a registry."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterable, Iterator

import fastavro
import msgspec

from consumers.datasets.record import Sent

SUBJECT = "crosscurrent-bench-value"
SCHEMA = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["click", "rating"]}},
        {"name": "user_id", "type": "string"},
        {"name": "item_id", "type": "string"},
        {"name": "timestamp", "type": "long"},
        {"name": "value", "type": ["null", "double"], "default": None},
    ],
}
ANSWER_SECONDS = 30.0


def in_avro(records: Iterable[Sent], registry: str) -> Iterator[Sent]:
    """Yield the records, interactions in Avro, items as they are. registry: its URL. Raises OSError."""
    head = b"\0" + _registered(registry).to_bytes(4, "big")
    parsed = fastavro.parse_schema(SCHEMA)
    for record in records:
        if record.kind == "items" or record.value is None:
            yield record
            continue
        body = io.BytesIO()
        fastavro.schemaless_writer(body, parsed, msgspec.json.decode(record.value))
        yield msgspec.structs.replace(record, value=head + body.getvalue())


def _registered(registry: str) -> int:
    """Return the id that the registry gives the schema: the same one each time."""
    body = json.dumps({"schema": json.dumps(SCHEMA), "schemaType": "AVRO"}).encode()
    request = urllib.request.Request(  # noqa: S310  the URL is the user's own
        f"{registry.rstrip('/')}/subjects/{SUBJECT}/versions",
        body,
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
        return int(json.load(answer)["id"])
