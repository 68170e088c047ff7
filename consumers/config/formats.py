"""How the records of a topic are written, and where their schemas are."""

from __future__ import annotations

from typing import Literal

import msgspec

FIELDS = {
    "interactions": ("type", "user_id", "item_id", "value", "timestamp", "event_id", "context", "impression"),
    "impressions": ("type", "user_id", "items", "list_ts", "timestamp", "event_id"),
    "items": ("item_id", "title", "text", "available", "tags", "vectors"),
}
"""The fields of the contract, by kind of record. Impressions are in topics of interactions."""
NAMES = {
    "interactions": tuple(dict.fromkeys((*FIELDS["interactions"], *FIELDS["impressions"]))),
    "items": FIELDS["items"],
}
"""The fields of the contract, by kind of topic."""
TYPES = ("click", "rating", "impression")
"""The types of the contract. Those of `[events]` come beside them."""


class TopicConfig(msgspec.Struct, forbid_unknown_fields=True):
    """How the records of a topic are read. By default they are JSON as the contract defines it."""

    format: Literal["json", "avro", "protobuf", "json_schema"] = "json"
    """`json`: plain. The others have the framing of Confluent's serializers: a zero byte and the schema's id."""
    unwrap: str = ""
    """Dotted path to the part that holds the fields: `payload.after` (Debezium), `data` (CloudEvents)."""
    fields: dict[str, str | list[str]] = {}
    """Where fields of the contract are found, if not under their own name: `{user_id = "uid"}`. Dotted paths; in a list
    the first that exists counts. A path that begins with `$.` starts outside of `unwrap`."""
    types: dict[str, str] = {}
    """What your own names of event types mean: `{buy = "click"}`. For interactions. They may mean a click, a rating, an
    impression, or a type of `[events]`."""
    defaults: dict[str, str | int | float | bool] = {}
    """Values of fields that a record does not have: `{type = "click"}`."""

    def paths(self, field: str) -> list[str]:
        """Return the paths of a field; the first that exists counts."""
        given = self.fields.get(field, field)
        return [given] if isinstance(given, str) else given

    @property
    def renames(self) -> bool:
        """Whether the fields differ from the contract in place, name or type."""
        return bool(self.unwrap or self.fields or self.types or self.defaults)

    @property
    def is_contract(self) -> bool:
        """Whether the values are JSON as the contract defines it."""
        return self.format == "json" and not self.renames


class SchemaRegistryConfig(msgspec.Struct, forbid_unknown_fields=True):
    """The schema registry, with a REST API like Confluent's. Needed for `avro` and `protobuf`."""

    url: str | None = None
    """Its address with the path prefix, if it has one: `http://registry:8081`."""
    username: str | None = None
    """User of HTTP Basic."""
    password: str | None = None
    """Its password."""
    password_file: str | None = None
    """File that holds the password."""
    ssl_cafile: str | None = None
    """Certificates of the authorities to trust, PEM."""
