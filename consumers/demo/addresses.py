"""Decide where the demo listens, start its servers there, and write its config for the other commands."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from consumers.config.loader import PREFIX
from consumers.demo.embedded_servers import HOST, Broker, EmbeddedError, Store, free_port
from consumers.errors import Stop

FIRST_LINE = "# Written by crosscurrent demo --keep, which removes it at its end."


TAKEN = ("ADAPTATION", "IMPRESSIONS", "INTAKE", "LEARNER", "PUBLISH", "RANKER")
"""Sections of the config that the demo takes from the environment. Addresses, folders, domains and such are its own."""


class Ports(NamedTuple):
    """Ports of broker, store and metrics. None, or 0 for the metrics, means a free one."""

    kafka: int | None = None
    redis: int | None = None
    metrics: int = 0


USUAL = Ports(9092, 6379, 9464)
"""The ports of the config's defaults, of `deploy/compose.yaml` and of the examples in the docs."""


def is_free(port: int) -> bool:
    """Return whether a server can listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def kept_ports(usual: Ports = USUAL) -> tuple[Ports, list[str]]:
    """Return the usual ports, a free one in place of each that is taken, and what to say about that."""
    free = {name: bool(port) and is_free(port) for name, port in usual._asdict().items()}
    said = [
        f"port {port} is taken, so {name.capitalize()} gets another"
        for name, port in usual._asdict().items()
        if not free[name]
    ]
    ports = Ports(
        usual.kafka if free["kafka"] else None,
        usual.redis if free["redis"] else None,
        usual.metrics if free["metrics"] else free_port(),
    )
    return ports, said


def from_environment(environ: Mapping[str, str], several: bool) -> tuple[dict[str, str], list[str]]:
    """Return the variables of the environment that the demo takes, and what to say of those that it does not take.

    several: whether the service has several processes, which take none.
    """
    keys = {name: name.removeprefix(PREFIX).partition("__")[0] for name in environ if name.startswith(PREFIX)}
    given = {name: section for name, section in keys.items() if "__" in name}
    taken = {name: environ[name] for name, section in given.items() if section in TAKEN and not several}
    return taken, [
        f"{name} has no effect on the demo: it has its own" for name in sorted(given.keys() - taken.keys())
    ]


def as_toml(config: Mapping[str, Any]) -> str:
    """Write a config of nested tables as TOML. A JSON string, number or list is one of TOML, too."""
    lines: list[str] = []

    def table(path: str, values: Mapping[str, Any]) -> None:
        plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
        if plain:
            lines.extend(["", f"[{path}]", *(f"{key} = {json.dumps(value)}" for key, value in plain.items())])
        for key, value in values.items():
            if isinstance(value, Mapping):
                table(f"{path}.{key}" if path else key, value)

    table("", config)
    return "\n".join([FIRST_LINE, *lines, ""])


def may_write(path: Path) -> None:
    """Raise Stop if there is such a file and no demo wrote it."""
    try:
        there = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}") from error
    if not there.startswith(FIRST_LINE):
        raise Stop(f"{path} is not of a demo: move it, or start the demo in another folder")


@contextmanager
def config_file(path: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Keep the config in this file while the context lasts. Raises Stop."""
    may_write(path)
    try:
        path.write_text(as_toml(config), encoding="utf-8")
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}. --keep writes its config here.") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def servers(ports: Ports) -> Iterator[tuple[Broker, Store]]:
    """Run a broker and a store at these ports while the context lasts. Raises Stop."""
    try:
        with Broker(port=ports.kafka) as broker, Store(port=ports.redis) as store:
            yield broker, store
    except EmbeddedError as error:
        raise Stop(str(error)) from error


def config_of(
    broker: Broker, store: Store, ports: Ports, folder: Path, domains: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the config of a service between them. folder: for checkpoints."""
    return {
        "kafka": {"bootstrap_servers": [broker.bootstrap]},
        "redis": {"url": store.url},
        "metrics": {"port": ports.metrics},
        "checkpoint": {"directory": str(folder)},
        "domains": domains,
    }
