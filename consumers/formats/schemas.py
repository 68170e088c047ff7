"""Schemas by id: asked for once and compiled once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from consumers.events.rejection import Reason, Rejected
from consumers.formats.framing import HEAD, schema_id
from consumers.formats.registry import Registry, Schema, UnknownSchema

Body = Callable[[bytes], Any]
"""Makes plain values of a framed value that was written with one schema. Raises Rejected."""
AGAIN_SECONDS = 10.0
"""Seconds until a refused id is asked for again. Without a pause each of its records would wait for an answer."""
MOST_REFUSED = 1000


class UnusableSchema(Exception):
    """A schema that cannot be compiled. The message says why."""


class Schemas:
    """The compiled schemas of one kind. One thread calls it."""

    def __init__(
        self,
        registry: Registry,
        kind: str,
        compiled: Callable[[Schema], Body],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """kind: the registry's word for it. compiled: raises UnusableSchema. clock: seconds."""
        self._registry, self._kind, self._compiled, self._clock = registry, kind, compiled, clock
        self._bodies: dict[bytes, Body] = {}
        """By the bytes before the body."""
        self._refused: dict[int, tuple[float, Reason, str]] = {}
        """For each refused id: when to ask for it again, and why it was refused."""

    def read(self, value: bytes) -> Any:
        """Return the plain values of a framed value. Raises Rejected or SchemaUnavailable."""
        body = self._bodies.get(value[:HEAD])
        if body is None:
            body = self._bodies[value[:HEAD]] = self._get(schema_id(value))
        return body(value)

    def _get(self, number: int) -> Body:
        refused = self._refused.get(number)
        if refused is not None and self._clock() < refused[0]:
            raise Rejected(refused[1], refused[2])
        try:
            schema = self._registry.schema(number)
            if schema.kind != self._kind:
                raise UnusableSchema(f"it is {schema.kind}, and the topic's format is {self._kind}")
            return self._compiled(schema)
        except UnknownSchema:
            raise self._refuse(number, "unknown_schema", "the registry does not have it") from None
        except UnusableSchema as error:
            raise self._refuse(number, "unusable_schema", str(error)) from None

    def _refuse(self, number: int, reason: Reason, why: str) -> Rejected:
        if len(self._refused) >= MOST_REFUSED:
            self._refused.clear()
        detail = f"schema {number}: {why}"
        self._refused[number] = (self._clock() + AGAIN_SECONDS, reason, detail)
        return Rejected(reason, detail)
