"""Run a schema registry for tests: Apicurio, in memory, with Confluent's REST API under a path prefix."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import shutil
import ssl
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import fastavro
import pytest

from consumers.demo.embedded_servers import HOST, NotInstalledError, Server
from tests.support.http_servers import HttpInThread, answers_200
from tests.support.running_server import Missing, running
from tests.support.store.secure_store import certificate

PREFIX = "/apis/ccompat/v7"
PATIENCE = 120.0
"""Longest time to start, in seconds: a busy machine needs it, a free one needs 2.5 s."""


class SchemaRegistry(Server):
    """A registry from the folder `registry` beside CROSSCURRENT_KAFKA_LIBS. A stop loses its schemas."""

    name = "registry"

    def __init__(self) -> None:
        super().__init__(timeout=PATIENCE)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{PREFIX}"

    def command(self) -> Sequence[str]:
        libs = os.environ.get("CROSSCURRENT_KAFKA_LIBS")
        jar = Path(libs or ".").resolve().parent / "registry" / "registry.jar"
        if not libs or not jar.is_file():
            raise NotInstalledError(
                "no schema registry: CROSSCURRENT_KAFKA_LIBS names no folder with a registry/registry.jar beside it"
            )
        if (java := shutil.which("java")) is None:
            raise NotInstalledError(
                "no schema registry: java 17 is not on PATH: apt-get install openjdk-17-jre"
            )
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        where = [f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={self.port}"]
        return [java, *options, *where, "-jar", str(jar)]

    def answers(self, seconds: float) -> bool:
        return answers_200(f"{self.url}/subjects", min(seconds, 5.0))

    def register(
        self,
        subject: str,
        schema: Any,
        kind: str = "AVRO",
        references: dict[str, tuple[str, int]] | None = None,
    ) -> int:
        """Add a version to a subject; return the schema's id. references: name to (subject, version)."""
        body = {
            "schema": schema if isinstance(schema, str) else json.dumps(schema),
            "schemaType": kind,
            "references": [
                {"name": name, "subject": subject, "version": version}
                for name, (subject, version) in (references or {}).items()
            ],
        }
        request = urllib.request.Request(
            f"{self.url}/subjects/{subject}/versions",
            json.dumps(body).encode(),
            {"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)["id"])


@pytest.fixture(scope="session")
def registry(missing: Missing) -> Iterator[SchemaRegistry]:
    """Return one registry for all tests, which use different subjects."""
    yield from running(SchemaRegistry, missing)


class GuardedRegistry(HttpInThread):
    """A server with TLS and HTTP Basic in front of a registry, which has neither."""

    def __init__(self, folder: Path, port: int, user: str, password: str) -> None:
        self.cert, key = certificate(folder)
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = 401, b'{"error_code": 401, "message": "Unauthorized"}'
                if self.headers.get("Authorization") == wanted:
                    inner = http.client.HTTPConnection(HOST, port, timeout=10)
                    inner.request("GET", self.path)
                    answer = inner.getresponse()
                    status, body = answer.status, answer.read()
                    inner.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{HOST}:{self.port}{PREFIX}"


# Values in the form of Confluent's serializers


def framed(number: int, body: bytes, index: bytes = b"") -> bytes:
    """Return the zero byte, the id, Protobuf's message index and the body, joined."""
    return b"\0" + number.to_bytes(4, "big") + index + body


def avro_body(schema: Any, value: Any, *references: Any) -> bytes:
    """Return a value in Avro. references: schemas that this one uses."""
    named: dict[str, Any] = {}
    for reference in references:
        fastavro.parse_schema(reference, named)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema, named), value)
    return stream.getvalue()


def record(name: str, *fields: Any) -> dict[str, Any]:
    """Return the Avro schema of a record. fields: (name, type) or whole fields."""
    made = [f if isinstance(f, dict) else {"name": f[0], "type": f[1]} for f in fields]
    return {"type": "record", "name": name, "fields": made}
