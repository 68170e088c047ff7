"""The real command runs between a real broker and a real store."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.kafka_client.topics import create_topics
from serving.client import Reader, UnknownDomain
from tests.support.service.running import Running, wait_for
from tests.support.service.service_world import DOMAINS, World


def test_events_in_at_kafka_come_out_as_recommendations_at_redis(world_on_each_store: World) -> None:
    """Every key of the Redis contract is there, in its shape, after a few events; seen and removed items are not."""
    world = world_on_each_store
    world.fill()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 60, why="60 events learned")
    wait_for(lambda: world.counts("u1") == 9 and world.store.exists(f"{world.prefix}:meta"), why="published")
    store, prefix = world.store, world.prefix

    record = json.loads(wait_for(lambda: store.get(f"{prefix}:rec:{{u1}}:books")))
    assert record["v"] == 1
    assert record["model"] >= 0
    assert all(abs(sum(i["why"].values()) - i["score"]) < 1e-5 for i in record["items"][:10])
    assert all("why" not in i for i in record["items"][10:])
    assert store.ttl(f"{prefix}:rec:{{u1}}:books") > 600_000
    seen = {f"b{(n * 5) % 20}" for n in range(60) if n % 3 == 0 and n % 7 == 1}
    assert seen
    assert not seen & {i["id"] for i in record["items"]}

    user = store.hgetall(f"{prefix}:user:{{u1}}")
    item = store.hgetall(f"{prefix}:item:books:b0")
    assert len(np.frombuffer(user[b"vector"], "<f4")) == int(user[b"dim"]) == int(item[b"dim"])
    assert item[b"title"] == b"Title 0 of books"
    assert {b"bias", b"popularity", b"model"} <= set(item)
    domain = store.hgetall(f"{prefix}:domain:books")
    assert domain[b"role"] == b"target"
    assert {b"mean", b"adaptation_rate", b"divergence:movies", b"model", b"published_ts"} <= set(domain)
    assert json.loads(wait_for(lambda: store.get(f"{prefix}:popular:movies")))["items"]
    assert {b"schema", b"dim", b"model", b"started_ts", b"published_ts"} <= set(
        store.hgetall(f"{prefix}:meta")
    )

    world.remove("books", record["items"][0]["id"])
    world.item("books", record["items"][1]["id"], available=False)
    world.producer.flush()
    gone = {record["items"][0]["id"], record["items"][1]["id"]}
    wait_for(
        lambda: not any(gone & set(world.items_for(f"u{n}", "books")) for n in range(7)),
        why="lists without removed items",
    )
    wait_for(lambda: not store.exists(f"{prefix}:item:books:{record['items'][0]['id']}"), why="item key gone")
    assert world.service.stop() == 0


def test_tags_and_neighbours_reach_a_reader(world: World) -> None:
    """What the producer of items says is what a reader filters by; items that users have together are neighbours."""
    for item, tags in {"b0": ["space", "old"], "b1": "space", "b2": ["old"]}.items():
        world.item("books", item, title=item, tags=tags)
    for n in range(6):
        for item in ("b0", "b1", "b2")[: 1 + n % 3]:
            world.rate("books", f"u{n}", item, 4)
    world.producer.flush()
    config = world.service.config
    config.write_text(config.read_text() + "\n[publish]\nsimilar_seconds = 1.0\n")
    world.service.start()
    world.service.wait_until_ready()
    books = "books"
    with Reader(world.url, world.prefix) as reader:
        wait_for(lambda: reader.similar("b0", books).items, why="neighbours")
        assert [item.id for item in reader.similar("b0", books).items] == ["b1", "b2"]
        assert [item.id for item in reader.similar("b0", books, category="old").items] == ["b2"]
        wait_for(lambda: reader.recommend("u0", books).origin == "personal", why="a list")
        assert [item.id for item in reader.recommend("u0", books, category="space").items] == ["b1"]
        assert {item.id for item in reader.rank("u0", books, ["b1", "b2"])} == {"b1", "b2"}
        with pytest.raises(UnknownDomain, match="it has books, movies"):
            reader.recommend("u0", "bokks")
    world.remove("books", "b1")
    world.producer.flush()
    wait_for(
        lambda: not world.store.exists(f"{world.prefix}:similar:books:b1"), why="its neighbours are gone"
    )
    with Reader(world.url, world.prefix) as reader:
        wait_for(
            lambda: [i.id for i in reader.similar("b0", books).items] == ["b2"], why="it left the others"
        )
    assert world.service.stop() == 0


def test_a_restart_resumes_from_the_checkpoint(world: World) -> None:
    """Events produced while the service is down are learned once; nothing is learned twice. Ctrl-C exits with 0."""
    world.fill(30)
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 30, why="30 learned")
    assert world.service.stop(signal.SIGINT) == 0
    for n in range(25):
        world.rate("books", "late", f"b{n % 20}", 3, event_id=f"late{n}")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 25, why="only the new ones are learned")
    wait_for(lambda: world.counts("late") == 25, why="published")
    assert sum(world.counts(f"u{n}") for n in range(7)) == 30
    assert world.service.stop() == 0


def test_poison_goes_to_the_dead_letters_and_the_stream_goes_on(world: World) -> None:
    """Each bad record is a dead letter with its bytes, reason and provenance; good ones around it are learned."""
    bad: dict[str, bytes | None] = {
        "malformed_json": b"{oops",
        "not_utf8": b'{"type":"click","user_id":"\xff\xfe","item_id":"m1"}',
        "wrong_type": b'["a"]',
        "missing_field": b'{"type":"rating","user_id":"a","item_id":"m1"}',
        "unknown_type": b'{"type":"poke","user_id":"a","item_id":"m1"}',
        "bad_id": b'{"type":"click","user_id":"","item_id":"m1"}',
        "not_finite": b'{"type":"rating","user_id":"a","item_id":"m1","value":NaN}',
        "out_of_range": b'{"type":"rating","user_id":"a","item_id":"m1","value":99}',
        "timestamp_in_seconds": b'{"type":"click","user_id":"a","item_id":"m1","timestamp":1700000000}',
        "future_timestamp": b'{"type":"click","user_id":"a","item_id":"m1","timestamp":9999999999999}',
        "too_large": b'{"type":"click","user_id":"a","item_id":"m1","x":"' + b"x" * 900_000 + b'"}',
        "null_value": None,
    }
    for n, value in enumerate(bad.values()):
        world.rate("movies", "good", f"m{n}", 4)
        world.raw("movies", "bad", value)
    world.rate("movies", "twice", "m1", 4, event_id="same")
    world.rate("movies", "twice", "m1", 4, event_id="same")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    letters = world.dead_letters(len(bad))
    found = {dict(letter.headers)["reason"].decode(): letter for letter in letters}
    assert set(found) == set(bad)
    for reason, letter in found.items():
        headers = dict(letter.headers)
        assert letter.value == bad[reason]
        assert letter.key == b"bad"
        assert headers["topic"].decode() == f"interactions.{world.prefix}.movies"
        assert int(headers["partition"]) in (0, 1)
        assert int(headers["offset"]) >= 0
        assert abs(int(headers["timestamp"]) - time.time() * 1000) < 600_000
    wait_for(lambda: world.learned() == len(bad) + 1, why="good ones learned")
    assert world.service.metric("crosscurrent_dead_letters_total") == len(bad)
    assert world.service.metric("crosscurrent_duplicates_total") == 1
    assert world.service.stop() == 0
    last = json.loads(world.service.log.read_text().splitlines()[-1])
    counted = {
        name: last[name] for name in ("learned", "duplicates", "forgotten", "impressions", "dead_letters")
    }
    assert counted == {
        "learned": len(bad) + 1, "duplicates": 1, "forgotten": 0, "impressions": 0, "dead_letters": len(bad)
    }  # fmt: skip


def test_a_flood_of_invalid_records_stops_with_exit_3(world: World) -> None:
    """Above the limit of invalid records the service saves and exits with 3, and names the partition."""
    world.fill(12)
    for _ in range(1500):
        world.raw("movies", "bad", b"{oops")
    world.producer.flush()
    world.service.start()
    assert world.service.process is not None
    assert world.service.process.wait(90) == 3
    said = world.service.log.read_text()
    assert f"interactions.{world.prefix}.movies partition" in said
    assert "Traceback" not in said


def test_check_reports_and_creates_topics(world: World) -> None:
    """`check` names each missing topic and what to do, exit 2; with --create-topics all is well, exit 0."""
    config = world.service.config.read_text().replace(f".{world.prefix}.", f".{world.prefix}-new.")
    world.service.config.write_text(config)
    before = world.service.command("check", "--config", str(world.service.config))
    assert before.returncode == 2
    assert f"items.{world.prefix}-new.books: missing" in before.stdout
    created = world.service.command("check", "--config", str(world.service.config), "--create-topics")
    assert created.returncode == 0, created.stdout
    again = world.service.command("check", "--config", str(world.service.config))
    assert again.returncode == 0, again.stdout


def test_recommend_shows_titles_reasons_and_the_fallback(world: World) -> None:
    """`recommend` prints titles and says which list it was; --json holds the same."""
    world.fill()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.store.exists(f"{world.prefix}:rec:{{u1}}:books"), why="a list")
    wait_for(lambda: world.store.exists(f"{world.prefix}:popular:books"), why="the popular list")
    config, out = str(world.service.config), world.service.config.parent / "out.json"
    own = world.service.command("recommend", "-c", config, "-u", "u1", "-d", "books", "--json", str(out))
    assert own.returncode == 0, own.stderr
    assert "their own list" in own.stdout
    assert "of books" in own.stdout
    assert json.loads(out.read_text())["origin"] == "personal"
    other = world.service.command("recommend", "-c", config, "-u", "nobody", "-d", "books")
    assert "no list of their own: popular items" in other.stdout
    assert world.service.stop() == 0


def test_check_looks_into_the_checkpoints(world: World) -> None:
    """`check` says how much is learned, and fails if `run` would refuse: another text encoder, nothing readable."""
    world.fill()
    world.service.start()
    world.service.wait_until_ready()
    assert world.service.stop() == 0
    config = ("check", "-c", str(world.service.config))
    good = world.service.command(*config, "--create-topics")
    assert good.returncode == 0, good.stdout
    assert " events are learned" in good.stdout
    text = world.service.config.read_text()
    world.service.config.write_text(text + '\n[text_encoder]\nmodel = "all-MiniLM-L6-v2"\n')
    other = world.service.command(*config)
    assert other.returncode == 2
    assert "its item vectors are of the text encoder 'hashing'" in other.stdout
    world.service.config.write_text(text)
    for file in (world.service.config.parent / "checkpoints").rglob("*"):
        if file.is_file() and file.name != "LOCK":
            file.write_bytes(b"garbage")
    assert "FAIL checkpoints" in world.service.command(*config).stdout


@pytest.mark.parametrize("away", ["broker", "store"])
def test_an_unreachable_server_is_one_clear_line_and_exit_2_within_10_seconds(
    away: str, tmp_path: Path, bootstrap: str, own_store: Any, topic_prefix: str
) -> None:
    """Only one line is printed, which names the setting to look at."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        kafka = f"127.0.0.1:{port}" if away == "broker" else bootstrap
        url = f"redis://:secret@127.0.0.1:{port}/0" if away == "store" else own_store.url
        service = Running(tmp_path, kafka, url, topic_prefix, DOMAINS)
        if away == "store":
            names = [(f"{k}.{topic_prefix}.{d}", k) for d in DOMAINS for k in ("interactions", "items")]
            create_topics({"bootstrap_servers": bootstrap}, names, 1)  # type: ignore[arg-type]
        begun = time.monotonic()
        done = service.command("run", "--config", str(service.config))
        assert time.monotonic() - begun < 40  # 10 s on a machine that is not busy
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert ("kafka.bootstrap_servers" if away == "broker" else "redis.url") in done.stderr
    assert "secret" not in done.stderr


def test_a_missing_topic_is_named_with_exit_2(tmp_path: Path, bootstrap: str, own_store: Any) -> None:
    """One line names the topics and how to create them."""
    service = Running(tmp_path, bootstrap, own_store.url, "nothere", DOMAINS)
    done = service.command("run", "--config", str(service.config))
    assert done.returncode == 2
    assert "items.nothere.books" in done.stderr
    assert "--create-topics" in done.stderr
