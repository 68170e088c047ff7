"""Run real servers under real sentinels: a master, its replicas, and the sentinels that watch them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import redis

from consumers.demo.embedded_servers import HOST, Store
from serving.client.connection import connect
from serving.store.redis_store import open_store
from serving.store.store import Store as KeyStore
from tests.support.service.running import wait_for
from tests.support.store.secure_store import PASSWORD, USER, SecureStore

NAME = "mymaster"
WATCHER, WATCHWORD = "watcher", "battery-staple-of-sentinel"
ADMIN, ADMIN_PASSWORD = "admin", "administrator"
DOWN_MS = 1000


class Replicated(Store):
    """A server that may be a replica of another."""

    def __init__(self, folder: Path, master: Store | None = None) -> None:
        super().__init__("redis", log_dir=folder)
        self._master = master

    def command(self) -> Sequence[str]:
        of = ["--replicaof", HOST, str(self._master.port)] if self._master else []
        return [*super().command(), *of, "--repl-diskless-sync-delay", "0"]


class SecureReplicated(SecureStore):
    """A server with TLS and ACL users that may be a replica, also between the servers."""

    def __init__(self, folder: Path, prefix: str, master: SecureStore | None = None) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder, prefix)
        self._master = master
        if master is not None:  # one certificate for all
            self.cert, self.key = master.cert, master.key

    def command(self) -> Sequence[str]:
        of = ["--replicaof", HOST, str(self._master.port)] if self._master else []
        own = ["--tls-ca-cert-file", str(self.cert), "--tls-replication", "yes"]
        own += ["--masteruser", ADMIN, "--masterauth", ADMIN_PASSWORD]
        return [*super().command(), *of, *own, "--repl-diskless-sync-delay", "0"]


class SentinelServer(Store):
    """One sentinel. `secure`: the store whose certificate it uses, and to which it logs in as the admin."""

    def __init__(self, folder: Path, master: Store, quorum: int, secure: SecureStore | None) -> None:
        super().__init__("redis", log_dir=folder)
        self.name = "redis-sentinel"
        self._watched, self._quorum, self._secure = master, quorum, secure

    def command(self) -> Sequence[str]:
        lines = [
            f"bind {HOST}",
            f"sentinel monitor {NAME} {HOST} {self._watched.port} {self._quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 4000",
        ]
        if self._secure is None:
            lines.append(f"port {self.port}")
        else:
            lines += [
                "port 0",
                f"tls-port {self.port}",
                f"tls-cert-file {self._secure.cert}",
                f"tls-key-file {self._secure.key}",
                f"tls-ca-cert-file {self._secure.cert}",
                "tls-auth-clients no",
                "tls-replication yes",
                f"sentinel auth-user {NAME} {ADMIN}",
                f"sentinel auth-pass {NAME} {ADMIN_PASSWORD}",
                "user default off",
                f"user {WATCHER} on >{WATCHWORD} allkeys allchannels +@all",
                f"sentinel sentinel-user {WATCHER}",
                f"sentinel sentinel-pass {WATCHWORD}",
            ]
        self.log_dir.mkdir(parents=True, exist_ok=True)
        config = self.log_dir / "sentinel.conf"
        config.write_text("\n".join(lines) + "\n")
        return [self._binary, str(config), "--sentinel"]

    def answers(self, seconds: float) -> bool:
        return super().answers(seconds) if self._secure is None else self._secure.speaks(self.port, seconds)


class Group(contextlib.ExitStack):
    """Starts servers and sentinels. `url` names the sentinels."""

    def __init__(
        self, folder: Path, replicas: int = 2, sentinels: int = 3, prefix: str | None = None
    ) -> None:
        """prefix: with TLS and ACL users, for keys under it."""
        super().__init__()
        self._folder, self._counts, self._prefix = folder, (replicas, sentinels), prefix

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        replicas, sentinels = self._counts
        self.secure: SecureReplicated | None = None
        self.servers: list[Store] = []
        for n in range(1 + replicas):
            first = self.servers[0] if self.servers else None
            server: Store
            if self._prefix is None:
                server = Replicated(self._folder / f"server{n}", first)
            else:
                server = SecureReplicated(self._folder / f"server{n}", self._prefix, self.secure)
                self.secure = self.secure or server
            self.servers.append(self.enter_context(server))
        quorum = sentinels // 2 + 1
        made = [
            SentinelServer(self._folder / f"sentinel{n}", self.servers[0], quorum, self.secure)
            for n in range(sentinels)
        ]
        self.sentinels = [self.enter_context(one) for one in made]
        hosts = ",".join(f"{HOST}:{one.port}" for one in self.sentinels)
        self.url = f"redis{'s' if self.secure else ''}+sentinel://{hosts}/{NAME}/0"
        for one in self.sentinels:
            wait_for(
                lambda one=one: self._agrees(one), 30, why="the sentinels know each other and the replicas"
            )

    def options(self) -> dict[str, str]:
        """Return what a client needs beside the URL."""
        if self.secure is None:
            return {}
        return {
            "username": USER,
            "password": PASSWORD,
            "ssl_ca_certs": str(self.secure.cert),
            "sentinel_username": WATCHER,
            "sentinel_password": WATCHWORD,
        }

    def client(self) -> redis.Redis:
        return connect(self.url, 1.0, **self.options())

    def store(self) -> KeyStore:
        return open_store(self.url, 1.0, **self.options())

    def _sentinel(self, one: SentinelServer) -> redis.Redis:
        tls = {"ssl": True, "ssl_ca_certs": str(self.secure.cert)} if self.secure else {}
        login = {"username": WATCHER, "password": WATCHWORD} if self.secure else {}
        return redis.Redis(HOST, one.port, socket_timeout=1.0, **tls, **login)

    def _agrees(self, one: SentinelServer) -> bool:
        with self._sentinel(one) as client, contextlib.suppress(redis.RedisError):
            seen = client.sentinel_masters()[NAME]
            known = (seen["num-slaves"], seen["num-other-sentinels"])
            # A replica that was never linked cannot take over.
            linked = all(replica["master-link-status"] == "ok" for replica in client.sentinel_slaves(NAME))
            return known == (len(self.servers) - 1, len(self.sentinels) - 1) and linked
        return False

    def master_port(self) -> int:
        """Return the master's port, by the first sentinel that answers."""
        for one in self.sentinels:
            with self._sentinel(one) as client, contextlib.suppress(redis.RedisError):
                return int(client.sentinel_masters()[NAME]["port"])
        raise AssertionError("no sentinel answers")

    def kill_master(self) -> None:
        """Kill the master; return once the sentinels name another."""
        port = self.master_port()
        next(server for server in self.servers if server.port == port).stop()
        wait_for(lambda: self.master_port() != port, 60, why="another master")
