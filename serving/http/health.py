"""Serve /metrics, /healthz and /readyz."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, make_wsgi_app

from serving.http.server import HttpServer

Check = Callable[[], str | None]
"""A function that returns None if everything is right, else the problem."""


class HealthServer(HttpServer):
    """Serves until `close`. Raises OSError if another process listens at the address by now."""

    def __init__(
        self,
        address: socket.socket,
        registry: CollectorRegistry,
        alive: Check,
        ready: Check,
        **limits: Any,
    ) -> None:
        """address: from `reserve`. limits: see `HttpServer`."""
        metrics = make_wsgi_app(registry)
        checks = {"/healthz": alive, "/readyz": ready}

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path == "/metrics":
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
            text = [("Content-Type", "text/plain; charset=utf-8")]
            if path not in checks:
                start_response("404 Not Found", text)
                return [b"try /metrics, /healthz or /readyz\n"]
            problem = checks[path]()
            start_response("503 Service Unavailable" if problem else "200 OK", text)
            return [f"{problem or 'ok'}\n".encode()]

        super().__init__(app, address, **limits)
