"""Ask a schema registry for schemas, by Confluent's REST API."""

from __future__ import annotations

import base64
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from consumers.config.formats import SchemaRegistryConfig
from consumers.web import NoAnswer, Request, ask

_Kind = TypeVar("_Kind")
CONNECT_SECONDS, READ_SECONDS = 2.0, 5.0
"""Seconds to wait for a connection, and for an answer."""


class SchemaUnavailable(Exception):
    """The registry did not give the schema that the next record needs; a later try may succeed."""


class UnknownSchema(Exception):
    """The registry says that it does not have the schema."""


class Reference(msgspec.Struct, frozen=True):
    """Another schema that a schema uses under `name`."""

    name: str
    subject: str
    version: int


class Schema(NamedTuple):
    """A schema of the registry. references: the schemas that it uses, each before the schema that needs it."""

    kind: str
    text: str
    references: dict[str, str]


class _Answer(msgspec.Struct):
    schema: str
    schemaType: str = "AVRO"  # noqa: N815  the registry's word
    references: list[Reference] | None = None


class Registry:
    """Gets schemas over HTTP. Each request opens a new connection, because each schema is fetched only once."""

    def __init__(self, config: SchemaRegistryConfig) -> None:
        self._config = config
        self.url = (config.url or "").rstrip("/")

    def schema(self, number: int) -> Schema:
        """Return the schema with this id. Raises UnknownSchema or SchemaUnavailable."""
        answer = self._get(f"/schemas/ids/{number}")
        references: dict[str, str] = {}
        self._collect(answer.references or [], references)
        return Schema(answer.schemaType, answer.schema, references)

    def ping(self) -> None:
        """Ask for a first answer. Raises SchemaUnavailable if it is not that of a registry."""
        body = self._ask("/schemas/types")
        if body is None:
            raise self._unavailable("404: see the path of schema_registry.url")
        self._decoded(body, list[str])

    def _collect(self, references: list[Reference], found: dict[str, str]) -> None:
        for one in references:
            if one.name not in found:
                found[one.name] = ""  # a schema that uses itself is asked for once
                answer = self._get(f"/subjects/{quote(one.subject, safe='')}/versions/{one.version}")
                self._collect(answer.references or [], found)
                del found[one.name]  # move it to the end, behind the schemas that it uses
                found[one.name] = answer.schema

    def _get(self, path: str) -> _Answer:
        body = self._ask(path)
        if body is None:
            self.ping()  # else the path of the URL is wrong, and any id would seem to be unknown
            raise UnknownSchema
        return self._decoded(body, _Answer)

    def _decoded(self, body: bytes, kind: type[_Kind]) -> _Kind:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError:
            raise self._unavailable(
                "its answer is not that of a schema registry: check the path of the URL"
            ) from None

    def _ask(self, path: str) -> bytes | None:
        """Return the body of the answer; None for an answer 404. Raises SchemaUnavailable."""
        request = Request(
            "GET", self.url + path, self._headers(), CONNECT_SECONDS, READ_SECONDS,
            self._config.ssl_cafile, "schema_registry.ssl_cafile",
        )  # fmt: skip
        try:
            answer = ask(request)
        except NoAnswer as error:
            raise self._unavailable(str(error)) from None
        if answer.status == 200:
            return answer.data
        if answer.status == 404:
            return None
        raise self._unavailable(_refusal(answer.status))

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if self._config.username:
            secret = f"{self._config.username}:{self._config.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        return headers

    def _unavailable(self, why: str) -> SchemaUnavailable:
        return SchemaUnavailable(f"the schema registry at {self.url} gives no schema: {why}")


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"it refuses the service with {status} (schema_registry.username, schema_registry.password)"
    return f"it answers {status}"
