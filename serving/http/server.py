"""Serve a few small pages over HTTP on one thread, with limits, so that no client can block the others.

It runs on asyncio. In a server with one thread for each connection, or with a pool of threads, a client that connects
and sends nothing blocks a thread. WSGI servers with their own loop time a client from its last byte, and refuse all
clients once their connections are used up.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import structlog

from serving.worker import Worker

log = structlog.get_logger()

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application; its only method is GET."""
SECONDS = 10.0
"""Seconds that a connection may live, up to the last byte of the answer. By default Prometheus waits no longer."""
CONNECTIONS = 256
"""Most connections at a time. One more ends the one that has waited longest without a whole request."""
BACKLOG = 128
AGAIN_SECONDS = 0.5
"""Pause after a connection that could not be accepted."""
HEAD_BYTES = 16_384
ALLOWED = ("GET", "HEAD")


def reserve(host: str, port: int) -> socket.socket:
    """Return a socket that has this address and does not listen yet. Raises OSError if the port is taken."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address[:2])
    except OSError:
        made.close()
        raise
    return made


class HttpServer:
    """Serves `app` until `close`. Port 0 picks a free one, see `port`. Raises OSError if the port is taken."""

    def __init__(
        self,
        app: App,
        address: socket.socket,
        seconds: float = SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        """address: from `reserve`. seconds: longest life of a connection; connections: most at a time."""
        self._app, self.seconds, self._most = app, seconds, connections
        self._open: dict[_Connection, None] = {}
        """Connections in the order in which they were opened."""
        self._socket = address
        self._socket.listen(BACKLOG)
        self.port = int(self._socket.getsockname()[1])
        self._started = threading.Event()
        self._thread = Worker("health", self._run)
        self._thread.start()
        self._started.wait()

    def connections(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def check(self) -> None:
        """Raise ThreadFailed if its thread has ended."""
        self._thread.check()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(2.0)

    # Its own thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._started.set()
            self._socket.close()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._socket.setblocking(False)
        accepting = asyncio.create_task(self._accept())
        self._started.set()
        await asyncio.wait(
            [accepting, asyncio.create_task(self._ending.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        accepting.cancel()
        while self._open or not accepting.done():
            for connection in self._open:
                connection.end()
            await asyncio.sleep(0)
        if not accepting.cancelled():
            accepting.result()

    async def _accept(self) -> None:
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(self._socket)
            except OSError as error:  # no more descriptors, or the client has gone already
                log.warning("a connection for metrics was not accepted", error=error.strerror)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            try:
                await self._loop.connect_accepted_socket(lambda: _Connection(self), accepted)
            except OSError:
                accepted.close()

    def begun(self, connection: _Connection) -> None:
        if len(self._open) >= self._most:
            waiting = (one for one in self._open if not one.answered)
            oldest = next(waiting, next(iter(self._open)))
            del self._open[oldest]
            oldest.end()
        self._open[connection] = None

    def ended(self, connection: _Connection) -> None:
        self._open.pop(connection, None)

    def answer(self, method: str, target: str, headers: dict[str, str]) -> bytes:
        """Return the whole answer to a request."""
        if method not in ALLOWED:
            return plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            split = urlsplit(target)
        except ValueError:
            return plain(HTTPStatus.BAD_REQUEST)
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": split.path, "QUERY_STRING": split.query} | headers
        setup_testing_defaults(environ)
        said: list[Any] = []
        try:
            body = b"".join(self._app(environ, lambda *answer: said.extend(answer)))
        except Exception as error:
            log.error("a page failed", path=split.path, exc_info=error)
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _response(said[0], said[1], body, with_body=method == "GET")


class _Connection(asyncio.Protocol):
    """One request and its answer."""

    answered = False
    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(self._server.seconds, self.end)
        self._server.begun(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._timer.cancel()
        self._server.ended(self)

    def end(self) -> None:
        """End at once: what a slow reader has not read is dropped."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.answered:
            return  # a request with a body, which no page needs
        self._received += data
        head, end, _ = self._received.replace(b"\r\n", b"\n").partition(b"\n\n")
        if not end and len(head) <= HEAD_BYTES:
            return
        self.answered = True
        lines = head.decode("latin-1").split("\n")
        words = lines[0].split()
        if not end:
            self._last(plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        elif len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._last(plain(HTTPStatus.BAD_REQUEST))
        else:
            fields = (line.partition(":") for line in lines[1:])
            headers = {
                f"HTTP_{name.strip().upper().replace('-', '_')}": value.strip() for name, _, value in fields
            }
            self._last(self._server.answer(words[0], words[1], headers))

    def _last(self, answer: bytes) -> None:
        """Send the answer; the client closes. Closing here would drop the answer if the client still sends."""
        self._transport.write(answer)
        self._transport.write_eof()


def plain(status: HTTPStatus) -> bytes:
    """Return an answer that is only its status."""
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", ", ".join(ALLOWED)))
    return _response(f"{status.value} {status.phrase}", headers, f"{status.phrase}\n".encode())


def _response(status: str, headers: list[tuple[str, str]], body: bytes, with_body: bool = True) -> bytes:
    more = [("Content-Length", str(len(body))), ("Date", formatdate(usegmt=True)), ("Connection", "close")]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (*headers, *more)), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body if with_body else b"")
