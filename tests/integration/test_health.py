"""/metrics, /healthz and /readyz answer over a loopback socket."""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from consumers.bench.parts.service_process import fetch
from consumers.config.loader import build
from consumers.errors import USAGE
from serving.http.health import HealthServer
from serving.http.server import reserve
from serving.metrics import Metrics
from serving.worker import ThreadFailed
from tests.support.service.running import wait_for


class Service:
    """A health service whose checks return what the test sets."""

    def __init__(self, **limits: Any) -> None:
        self.dead: str | None = None
        self.unready: str | None = None
        self.metrics = Metrics()
        self.server = HealthServer(
            reserve("127.0.0.1", 0), self.metrics.registry, lambda: self.dead, lambda: self.unready, **limits
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def ask(self, request: bytes) -> tuple[str, dict[str, str], bytes]:
        """Return status line, headers and body of the answer to these bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            head, _, body = rest(connection).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return status, dict(line.split(": ", 1) for line in lines), body

    def get(self, path: str) -> tuple[int, str]:
        return fetch(self.server.port, path)


def rest(connection: socket.socket) -> bytes:
    """Return everything until the server ends the connection, in any way."""
    received = []
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received.append(data)
    return b"".join(received)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.close()


def test_well(service: Service) -> None:
    """Both pages answer 200 if there is no problem."""
    assert service.get("/healthz") == (200, "ok\n")
    assert service.get("/readyz") == (200, "ok\n")


def test_reasons(service: Service) -> None:
    """With a problem a page answers 503 and the reason, independently of the other page."""
    service.unready = "the store has not answered for 3 s"
    assert service.get("/readyz") == (503, "the store has not answered for 3 s\n")
    assert service.get("/healthz")[0] == 200
    service.dead, service.unready = "the loop has not turned for 40 s", None
    assert service.get("/healthz") == (503, "the loop has not turned for 40 s\n")
    assert service.get("/readyz")[0] == 200


def test_metrics(service: Service) -> None:
    """/metrics shows the present registry in Prometheus text format."""
    service.metrics.events.labels("movies", "click").inc(3)
    status, text = service.get("/metrics")
    assert status == 200
    assert 'crosscurrent_events_total{domain="movies",type="click"} 3.0' in text.splitlines()


@pytest.mark.parametrize("path", ["/", "/metricsx", "/healthz/", "/%2e%2e/etc/passwd"])
def test_other_paths(service: Service, path: str) -> None:
    """Every other path is 404."""
    assert service.get(path)[0] == 404


@pytest.mark.parametrize("sent", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_clients_that_say_nothing_hold_up_nobody(service: Service, sent: bytes) -> None:
    """Four hundred connections, idle or with half a request, cost no thread, and a scrape succeeds."""
    threads = threading.active_count()
    with contextlib.ExitStack() as silent:
        for _ in range(400):
            silent.enter_context(service.connect()).sendall(sent)
        assert service.get("/healthz")[0] == 200
        assert "crosscurrent_ready" in service.get("/metrics")[1]
        assert threading.active_count() == threads


def test_a_connection_has_its_time() -> None:
    """A client that sends nothing, half a request, or single bytes is disconnected after a while."""
    service = Service(seconds=0.5)
    idle, half, drip = service.connect(), service.connect(), service.connect()
    half.sendall(b"GET /metrics HTTP/1.1\r\n")
    ended = threading.Event()

    def send_slowly() -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(0.05):
                drip.sendall(b"G")

    sender = threading.Thread(target=send_slowly)
    sender.start()
    try:
        for connection in (idle, half, drip):
            assert rest(connection) == b""
    finally:
        ended.set()
        sender.join()
        for connection in (idle, half, drip):
            connection.close()
        service.server.close()


def test_a_slow_reader_has_its_time() -> None:
    """If a client does not read metrics larger than the kernel's buffers, the rest is dropped."""
    service = Service(seconds=0.5)
    for n in range(4000):
        service.metrics.lag_records.labels("t" * 5000, str(n)).set(1)
    with service.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        status = connection.recv(15)
        deadline = time.monotonic() + 20
        while service.server.connections() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not service.server.connections()
        received = rest(connection)
    assert status == b"HTTP/1.1 200 OK"
    assert len(received) < 4000 * 5000
    service.server.close()


def test_one_connection_too_many_ends_the_oldest_that_waits() -> None:
    """At the limit of connections a new one is served, and the oldest one is closed."""
    service = Service(connections=3)
    with service.connect() as first, service.connect() as second, service.connect() as third:
        assert service.get("/healthz")[0] == 200
        assert rest(first) == b""
        third.sendall(b"GET /healthz HTTP/1.0\n\n")
        assert rest(third).endswith(b"ok\n")
        second.sendall(b"GET /healthz HTTP/1.0\n\n")
        assert rest(second).endswith(b"ok\n")
    service.server.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "OPTIONS", "PATCH", "NONSENSE"])
def test_only_reading_is_allowed(service: Service, method: str) -> None:
    """Status 405 names the allowed methods, GET and HEAD. A long body does not hide the answer."""
    body = b"x" * 200_000 if method in {"POST", "PUT"} else b""
    for path in ("/healthz", "/readyz", "/metrics"):
        request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        status, headers, _ = service.ask(request + body)
        assert status.split(" ", 1)[1] == "405 Method Not Allowed", path
        assert headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nowhere"])
def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    """HEAD has the status and headers of GET, and no body. No header names the software."""
    status, headers, body = service.ask(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    head_status, head_headers, nothing = service.ask(f"HEAD {path} HTTP/1.1\r\n\r\n".encode())
    assert (head_status, nothing) == (status, b"")
    assert head_headers.keys() == headers.keys()
    assert int(headers["Content-Length"]) == len(body)
    assert "python" not in str(headers).lower()
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics SMTP/1.1\r\n\r\n", 400),
        (b"GET http://[::1/ HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000, 431),
    ],
)
def test_what_is_no_request(service: Service, sent: bytes, status: int) -> None:
    """A bad request gets an answer that says so, and the next one is served."""
    assert service.ask(sent)[0].split()[1] == str(status)
    assert service.get("/healthz")[0] == 200


def test_metrics_as_a_scraper_asks_for_them(service: Service) -> None:
    """The scraper's Accept headers decide format and compression."""
    accept = "Accept: application/openmetrics-text;version=1.0.0\r\naccept-encoding: gzip"
    _, headers, body = service.ask(f"GET /metrics HTTP/1.1\r\n{accept}\r\n\r\n".encode())
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert gzip.decompress(body).endswith(b"# EOF\n")


def test_a_check_that_fails_is_told_and_the_server_goes_on(service: Service) -> None:
    """A page that fails answers 500, and later requests are served."""

    def broken() -> str | None:
        raise RuntimeError("dictionary changed size during iteration")

    server = HealthServer(reserve("127.0.0.1", 0), service.metrics.registry, broken, lambda: None)
    for path, status in (("healthz", 500), ("readyz", 200), ("healthz", 500)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
            assert rest(connection).split()[1] == str(status).encode()
    server.check()
    server.close()


def test_a_server_that_cannot_go_on_is_no_secret(service: Service) -> None:
    """The service learns that the server has failed and accepts no connections."""

    class Broken(HealthServer):
        async def _accept(self) -> None:
            raise RuntimeError("nobody foresaw this")

    server = Broken(reserve("127.0.0.1", 0), service.metrics.registry, lambda: None, lambda: None)
    with pytest.raises(ThreadFailed, match="the health thread failed: RuntimeError"):
        wait_for(server.check, 10)
    server.close()


def test_a_taken_port_is_an_oserror(service: Service) -> None:
    """A taken port raises OSError, which the caller turns into one clear line."""
    with pytest.raises(OSError, match="in use"):
        reserve("127.0.0.1", service.server.port)


def test_the_port_comes_first(service: Service, tmp_path: Path) -> None:
    """A start with a taken port says so before it asks broker and store, which are away here."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[metrics]\nport = {service.server.port}\n[kafka]\nbootstrap_servers = ["127.0.0.1:1"]\n[domains.movies]\n'
    )
    words = (sys.executable, "-m", "consumers.cli", "run", "-c", str(config))
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == USAGE
    assert f"metrics.port {service.server.port} on 127.0.0.1: Address already in use" in done.stderr
    assert "Kafka" not in done.stderr


def test_close_frees_the_port() -> None:
    """After `close` nothing listens at the port."""
    made = Service()
    made.server.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", made.server.port), timeout=5).close()


def test_loopback_by_default() -> None:
    """By default the machine's other addresses refuse connections."""
    host = build({"domains": {"movies": {}}}).metrics.host
    server = HealthServer(reserve(host, 0), CollectorRegistry(), lambda: None, lambda: None)
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=2):
            pass
        for address in ("127.0.0.2", outside()):
            with (
                pytest.raises(ConnectionRefusedError),
                socket.create_connection((address, server.port), timeout=2),
            ):
                pass
    finally:
        server.close()


def outside() -> str:
    """Return this machine's address in its network (nothing is sent), or another loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.3"
        return str(probe.getsockname()[0])
