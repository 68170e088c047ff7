"""A password of the store that is changed while the service runs: its file is read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from consumers.config.loader import build
from consumers.connections import connect_store
from consumers.demo.embedded_servers import HOST, Server, Store
from consumers.errors import Stop
from serving.client import Reader
from serving.contract import Keys, Write
from serving.store.publisher import Publisher
from tests.support.service.running import wait_for
from tests.support.store.sentinels import PASSWORD, WATCHWORD, Group

OLD, NEW = "the-old-password", "the-new-password"
KEY = Keys("cc").popular("books")
PATIENCE = 20.0


class Locked(Store):
    """A server with a password."""

    password = OLD

    def command(self) -> Sequence[str]:
        return [*super().command(), "--requirepass", self.password]

    def answers(self, seconds: float) -> bool:
        try:
            with redis.Redis(
                host=HOST, port=self.port, password=self.password, socket_timeout=seconds
            ) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def change(self, password: str) -> None:
        """Come back with another password, as a server whose config was changed."""
        self.stop()
        self.password = password
        self.start()


@pytest.fixture
def locked(redis_store: Server) -> Iterator[Locked]:
    del redis_store
    with Locked() as made:
        yield made


def redis_keys(locked: Locked, form: str, folder: Path) -> dict[str, Any]:
    """Return the config's keys with the password in a file, or with the whole URL in one."""
    if form == "password_file":
        return {"url": locked.url, "password_file": str(folder / "secret")}
    if form == "user in the URL":
        return {"url": locked.url.replace("//", "//default@"), "password_file": str(folder / "secret")}
    return {"url_file": str(folder / "secret")}


def secret(locked: Locked, form: str, password: str) -> str:
    return locked.url.replace("//", f"//:{password}@") if form == "url_file" else password


@pytest.mark.parametrize("form", ["password_file", "user in the URL", "url_file"])
def test_the_file_is_read_again(locked: Locked, tmp_path: Path, form: str) -> None:
    """While the file holds the old password, the reason names the key and how long; with the new one it goes on."""
    file = tmp_path / "secret"
    file.write_text(secret(locked, form, OLD) + "\n")
    settings = build({"redis": redis_keys(locked, form, tmp_path)}, need_domains=False)
    publisher = Publisher(connect_store(settings), Keys("cc").meta, 17)
    publisher.start()

    locked.change(NEW)
    publisher.submit([Write(KEY, "set", b"1")])
    said = "the store refuses user or password: see redis.password_file"
    first = wait_for(publisher.problem, PATIENCE, why="it is noticed")
    assert first.startswith(said)
    wait_for(lambda: (publisher.problem() or first) != first, PATIENCE, why="the seconds grow")
    assert OLD not in first

    file.unlink()
    wait_for(
        lambda: "secret: No such file" in (publisher.problem() or ""), PATIENCE, why="a missing file is named"
    )
    file.write_text(secret(locked, form, NEW))
    wait_for(lambda: publisher.problem() is None, PATIENCE, why="it goes on with the new password")
    assert publisher.flush(PATIENCE)
    reader = Reader(settings.redis.url, **settings.redis.client())
    assert reader.status().domains == []
    assert publisher.close()


def test_a_right_is_taken_away(redis_store: Server, own_store: Server, tmp_path: Path) -> None:
    """The reason names the right that is missing, without the password."""
    del redis_store
    assert isinstance(own_store, Store)
    (tmp_path / "secret").write_text(OLD)
    rights = ["~cc:*", "+ping", "+set", "+get", "+del", "+hset", "+hget", "+expire", "+scan", "+info"]
    with redis.Redis.from_url(own_store.url, legacy_responses=False) as admin:
        admin.execute_command("ACL", "SETUSER", "cc", "on", f">{OLD}", *rights)
        keys = {"url": own_store.url, "username": "cc", "password_file": str(tmp_path / "secret")}
        settings = build({"redis": keys}, need_domains=False)
        publisher = Publisher(connect_store(settings), Keys("cc").meta, 17)
        publisher.start()
        admin.execute_command("ACL", "SETUSER", "cc", "-hget")
        publisher.submit([Write(KEY, "set", b"1")])
        why = wait_for(publisher.problem, PATIENCE)
        assert why.startswith("the store refuses a right: ")
        assert "'hget'" in why
        assert OLD not in why
        admin.execute_command("ACL", "SETUSER", "cc", "+hget")
        wait_for(lambda: publisher.problem() is None, PATIENCE)
        assert publisher.close()


def test_a_refused_ping_is_named(own_store: Server) -> None:
    """A start without the right to PING names it."""
    assert isinstance(own_store, Store)
    with redis.Redis.from_url(own_store.url, legacy_responses=False) as admin:
        admin.execute_command("ACL", "SETUSER", "few", "on", f">{OLD}", "~cc:*", "+get")
    settings = build(
        {"redis": {"url": own_store.url, "username": "few", "password": OLD}}, need_domains=False
    )
    with pytest.raises(Stop, match="'ping'"):
        connect_store(settings)


def test_the_sentinels_have_files_too(tmp_path: Path, redis_store: Server) -> None:
    """Passwords of the master and of the sentinels come from files."""
    del redis_store
    (tmp_path / "store").write_text(PASSWORD)
    (tmp_path / "sentinels").write_text(WATCHWORD)
    with Group(tmp_path / "group", replicas=0, sentinels=1, prefix="cc") as group:
        given = group.options()
        keys = {
            "url": group.url,
            "username": given.get("username"),
            "password_file": str(tmp_path / "store"),
            "sentinel_username": given.get("sentinel_username"),
            "sentinel_password_file": str(tmp_path / "sentinels"),
            "ssl_cafile": given["ssl_ca_certs"],
        }
        store = connect_store(build({"redis": keys}, need_domains=False))
        store.ping()
        store.close()
