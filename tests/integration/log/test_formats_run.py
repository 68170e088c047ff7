"""`run` and `check` work on topics in Avro, with a registry that is sometimes away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.log.proxy import Proxy
from tests.support.log.registry import PREFIX, SchemaRegistry, avro_body, framed, record
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

EVENT = record("Event", ("uid", "int"), ("sku", "string"), ("stars", "int"))
NEXT = record(
    "Event", {"name": "user", "type": "long", "aliases": ["uid"]}, ("sku", "string"), ("stars", "double")
)
ITEM = record("Item", ("sku", "string"), ("name", "string"))
PASSWORD = "correct-horse-battery"


class Shop(World):
    """Make a world with movies in Avro, books in the contract's JSON, and a proxy before the registry."""

    def __init__(self, folder: Path, bootstrap: str, url: str, prefix: str, registry: SchemaRegistry) -> None:
        super().__init__(folder, bootstrap, url, prefix)
        self.proxy = Proxy(registry.port)
        (folder / "password").write_text(PASSWORD)
        config = self.service.config
        config.write_text(
            f"""{config.read_text()}
            [domains.movies.interactions]
            format = "avro"
            fields = {{ user_id = "uid", item_id = "sku", value = "stars" }}
            defaults = {{ type = "rating" }}
            [domains.movies.items]
            format = "avro"
            fields = {{ item_id = "sku", title = "name" }}
            [schema_registry]
            url = "http://127.0.0.1:{self.proxy.port}{PREFIX}"
            username = "me"
            password_file = "{folder / "password"}"
            """
        )
        self.event = registry.register(f"{prefix}-event", EVENT)
        self.next = registry.register(f"{prefix}-event", NEXT)
        self.of_items = registry.register(f"{prefix}-item", ITEM)

    def close(self) -> None:
        super().close()
        self.proxy.__exit__()

    def send(self, body: bytes, kind: str = "interactions", key: bytes = b"k") -> None:
        self.producer.send(f"{kind}.{self.prefix}.movies", body, key)

    def check(self) -> tuple[int, str]:
        done = self.service.command("check", "-c", str(self.service.config))
        return done.returncode, done.stdout

    def dead(self) -> int:
        return int(self.service.metric("crosscurrent_dead_letters_total"))


@pytest.fixture
def shop(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    bootstrap: str,
    topic_prefix: str,
    registry: SchemaRegistry,
) -> Iterator[Shop]:
    url = request.config.getoption("--redis-url") or request.getfixturevalue("redis_store").url
    made = Shop(tmp_path, bootstrap, url, topic_prefix, registry)
    yield made
    made.close()


def test_a_registry_that_comes_and_goes(shop: Shop) -> None:
    """A registry away at the start means not ready, and nothing is lost. Later, known schemas need no registry."""
    service, proxy = shop.service, shop.proxy
    proxy.refusing = True
    for n in range(5):
        body = avro_body(ITEM, {"sku": f"m{n}", "name": f"Title {n}"})
        shop.send(framed(shop.of_items, body), "items", f"m{n}".encode())
        shop.rate("books", "7", f"b{n}", 4)
    for n in range(10):
        body = avro_body(EVENT, {"uid": 7 + n % 2, "sku": f"m{n % 5}", "stars": 1 + n % 5})
        shop.send(framed(shop.event, body))
    shop.producer.flush()
    service.start()
    wait_for(lambda: "schema registry" in service.get("/readyz")[1], why="not ready, with the reason")
    status, reason = service.get("/readyz")
    assert status == 503
    assert reason.endswith(f"items.{shop.prefix}.movies waits\n")
    assert service.get("/healthz")[0] == 200
    assert (shop.learned(), shop.dead()) == (0, 0)

    proxy.refusing = False
    service.wait_until_ready()
    wait_for(lambda: shop.learned() == 15, why="15 events learned")
    wait_for(lambda: shop.counts("7") == 10, why="published, the number as its decimal text")
    wait_for(lambda: shop.store.hget(f"{shop.prefix}:item:movies:m0", "title") == b"Title 0", why="the item")

    shop.send(framed(shop.next, avro_body(NEXT, {"user": 7, "sku": "m1", "stars": 4.5})))
    unknown = framed(2**31, b"whatever")
    shop.send(unknown)
    shop.producer.flush()
    wait_for(lambda: shop.learned() == 16, why="an event of the next version, by its alias")
    (letter,) = shop.dead_letters(1)
    headers = dict(letter.headers)
    assert letter.value == unknown
    assert headers["reason"] == b"unknown_schema"
    assert headers["detail"] == f"schema {2**31}: the registry does not have it".encode()

    proxy.refusing = True
    for _ in range(5):
        shop.send(framed(shop.event, avro_body(EVENT, {"uid": 7, "sku": "m1", "stars": 2})))
    shop.producer.flush()
    wait_for(lambda: shop.learned() == 21, why="events of known schemas")
    assert service.get("/readyz")[0] == 200
    assert service.stop() == 0
    log = service.log.read_text()
    assert "schema unavailable" in log
    assert PASSWORD not in log


def test_check_shows_how_a_record_is_understood(shop: Shop) -> None:
    """`check` shows a record of each topic. A future dead letter is a warning, a registry that is away a failure."""
    body = avro_body(ITEM, {"sku": "m1", "name": "Dune\x1b[31m"})
    shop.send(framed(shop.of_items, body), "items", b"m1")
    shop.send(framed(shop.event, avro_body(EVENT, {"uid": 7, "sku": "m1", "stars": 4})))
    shop.raw("books", "u", json.dumps({"type": "click", "user_id": "u", "note": 1}).encode())
    shop.producer.flush()
    code, shown = shop.check()
    lines = {line[5:].partition(": ")[0]: line for line in shown.splitlines()}
    assert code == 0, shown
    assert lines["schema registry"].startswith("ok   ")
    events = lines[f"newest record of interactions.{shop.prefix}.movies"]
    assert events.startswith("ok   ")
    assert "avro, partition" in events
    assert 'rating, user_id "7", item_id "m1", value 4, timestamp ' in events
    assert events.endswith(", the record's own")
    item = lines[f"newest record of items.{shop.prefix}.movies"]
    assert 'item_id "m1", title "Dune\\x1b[31m", text of 0 characters' in item
    poison = lines[f"newest record of interactions.{shop.prefix}.books"]
    assert poison.startswith("warn ")
    assert "would be a dead letter: missing_field: item_id: missing" in poison
    assert poison.endswith("; not used: note")
    assert lines[f"newest record of items.{shop.prefix}.books"].endswith(": there is none yet")

    shop.proxy.refusing = True
    code, shown = shop.check()
    assert code == 2
    assert "FAIL schema registry: the schema registry at http://127.0.0.1:" in shown
    assert f"FAIL newest record of interactions.{shop.prefix}.movies: avro, partition" in shown
    assert PASSWORD not in shown
