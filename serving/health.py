"""/metrics, /healthz and /readyz on one small HTTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

Check = Callable[[], str | None]
"""None while all is well, else the reason why not."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """A scrape every few seconds is not worth a log line."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request: a client that connects and says nothing must not make the service look dead."""

    daemon_threads = True
    block_on_close = False


class HealthServer:
    """Serves until `close`; port 0 picks a free one, see `port`. Raises OSError if the port is taken."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, alive: Check, ready: Check) -> None:
        metrics = make_wsgi_app(registry)
        checks = {"/healthz": alive, "/readyz": ready}

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
            if path not in checks:
                start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
                return [b"try /metrics, /healthz or /readyz\n"]
            problem = checks[path]()
            status = "503 Service Unavailable" if problem else "200 OK"
            start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{problem or 'ok'}\n".encode()]

        self._server = make_server(host, port, app, _Server, _Quiet)
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)
