"""/metrics, /healthz and /readyz over a loopback socket."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from consumers.config_file import build
from serving.health import HealthServer
from serving.metrics import Metrics


class Service:
    """What the checks answer, changed at will."""

    def __init__(self) -> None:
        self.dead: str | None = None
        self.unready: str | None = None
        self.metrics = Metrics()
        self.server = HealthServer(
            "127.0.0.1", 0, self.metrics.registry, lambda: self.dead, lambda: self.unready
        )

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.close()


def test_well(service: Service) -> None:
    """While all is well both answer 200."""
    assert service.get("/healthz") == (200, "ok\n")
    assert service.get("/readyz") == (200, "ok\n")


def test_reasons(service: Service) -> None:
    """Else 503 with the reason; one does not depend on the other."""
    service.unready = "the store has not answered for 3 s"
    assert service.get("/readyz") == (503, "the store has not answered for 3 s\n")
    assert service.get("/healthz")[0] == 200
    service.dead, service.unready = "the loop has not turned for 40 s", None
    assert service.get("/healthz") == (503, "the loop has not turned for 40 s\n")
    assert service.get("/readyz")[0] == 200


def test_metrics(service: Service) -> None:
    """The registry in Prometheus text format, as it is now."""
    service.metrics.events.labels("movies", "click").inc(3)
    status, text = service.get("/metrics")
    assert status == 200
    assert 'crosscurrent_events_total{domain="movies",type="click"} 3.0' in text.splitlines()


@pytest.mark.parametrize("path", ["/", "/metricsx", "/healthz/", "/%2e%2e/etc/passwd"])
def test_other_paths(service: Service, path: str) -> None:
    """Anything else is 404."""
    assert service.get(path)[0] == 404


def test_a_silent_client_does_not_block(service: Service) -> None:
    """A connection that never sends its request does not make the service look dead."""
    silent = [socket.create_connection(("127.0.0.1", service.server.port)) for _ in range(5)]
    assert service.get("/healthz")[0] == 200
    for connection in silent:
        connection.close()


def test_a_taken_port_is_an_oserror(service: Service) -> None:
    """The caller turns it into one clear line."""
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", service.server.port, Metrics().registry, lambda: None, lambda: None)


def test_close_frees_the_port() -> None:
    """After `close` nothing listens there."""
    made = Service()
    made.server.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", made.server.port), timeout=5).close()


def test_loopback_by_default() -> None:
    """Without a word in the config nobody outside this machine is answered: its other addresses refuse."""
    host = build({"domains": {"movies": {}}}).metrics.host
    server = HealthServer(host, 0, CollectorRegistry(), lambda: None, lambda: None)
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
    """This machine's address towards others (nothing is sent); another of loopback's where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.3"
        return str(probe.getsockname()[0])
