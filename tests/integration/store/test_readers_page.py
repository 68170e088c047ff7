"""The page for readers: its lines run as they stand, where their runtime is here, and name keys that exist."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
import redis
from kafka import KafkaConsumer

from consumers.demo.embedded_servers import Server, free_port
from consumers.events.decode import Decoder
from consumers.events.record import record_of
from consumers.kafka_client.topics import create_topics
from models.learning.shown.list_maker import MORE
from models.schema import Domain, Impression, Interaction
from models.signals.registry import NAMES
from serving.client.lists import DrawnFrom
from serving.contract import ListedItem, RecommendationList
from tests.support.paths import ROOT
from tests.support.store.page import PAGE, URL, block, blocks, fill, node, node_modules

STUBS = ROOT / "tests" / "support" / "store" / "stubs"
DOMAINS = [Domain("books", "target")]
VECTOR = [1.0] + [0.0] * 31
KEY = re.compile(r"cc:(?:rec|popular|similar|user|item|domain|meta)[:\w{}]*")


@pytest.fixture
def store(redis_store: Server) -> Iterator[redis.Redis]:
    """A store that holds what the page names."""
    with redis.Redis.from_url(redis_store.url, legacy_responses=False) as client:  # type: ignore[attr-defined]
        client.flushall()
        fill(client)
        yield client


def url_of(store: redis.Redis) -> str:
    return f"redis://127.0.0.1:{store.get_connection_kwargs()['port']}/0"


def test_python(store: redis.Redis) -> None:
    """Both readers."""
    ran = [text for text in blocks("python") if "Reader(" in text and "KafkaProducer" not in text]
    assert len(ran) == 2
    said = io.StringIO()
    for text in ran:
        lines = text.replace("from crosscurrent import", "from serving.client import").replace(
            URL, url_of(store)
        )
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(said):
            exec(compile(lines, str(PAGE), "exec"), names)
        if "got" in names:
            assert names["got"].origin == "personal"
    assert said.getvalue() == "personal ['solaris'] ['solaris', 'emma', 'dune'] ['solaris']\n"


def test_shell(store: redis.Redis, missing: Callable[[object], NoReturn]) -> None:
    """Every line answers, and the vector comes out as numbers."""
    if shutil.which("redis-cli") is None:
        missing("redis-cli is not on PATH: apt-get install redis-server")
    text = block("bash", "cc:similar:books:dune")
    script = f'set -euo pipefail\nredis-cli() {{ command redis-cli -u {url_of(store)} "$@"; }}\n{text}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lists, rest = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:]
    assert [json.loads(line)["items"][0]["id"] for line in lists] == ["hyperion", "hyperion"]
    assert rest[:3] == ["Dune", "space,classic", "3"]
    assert [float(number) for line in rest[3:-1] for number in line.split()] == VECTOR
    assert rest[-1] == "books,movies"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return node_modules(tmp_path_factory.mktemp("node"))


def test_node(store: redis.Redis, modules: Path) -> None:
    """Buffers stay bytes: the vector has the numbers that were written; without an item it is null."""
    text = block("js", "lists.mjs").replace(URL, url_of(store))
    done = node(modules, text)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [item["id"] for item in said["items"]] == ["hyperion", "solaris", "emma"]
    assert [item["id"] for item in said["similar"]] == ["hyperion", "solaris"]
    assert said["vector"] == VECTOR
    store.flushall()
    done = node(modules, text)
    assert json.loads(done.stdout) == {"items": [], "similar": [], "vector": None}, done.stderr


def test_node_without_a_store(modules: Path) -> None:
    """It ends soon, says on stderr why, and prints no list."""
    for name in ("lists.mjs", "shown.mjs"):
        done = node(modules, block("js", name).replace(URL, f"redis://127.0.0.1:{free_port()}/0"))
        assert done.returncode != 0
        assert done.stdout == ""
        assert "Redis: connect ECONNREFUSED" in done.stderr


def test_node_with_a_store_that_hangs(own_store: Server, modules: Path) -> None:
    """A command that is not answered ends it, too."""
    with redis.Redis.from_url(own_store.url) as client:
        client.execute_command("CLIENT", "PAUSE", 60_000, "ALL")
    done = node(modules, block("js", "lists.mjs").replace(URL, own_store.url))
    assert done.returncode != 0
    assert "no answer in" in done.stderr


def test_the_lines_that_tell_what_was_shown(
    store: redis.Redis, modules: Path, bootstrap: str, topic_prefix: str
) -> None:
    """Python and Node send an impression of the list with its time, and a click that names it."""
    topic = f"{topic_prefix}.interactions.books"
    create_topics({"bootstrap_servers": bootstrap}, [(topic, "interactions")], 1)
    published = json.loads(store.get("cc:rec:{alice}:books") or b"{}")["published_ts"]
    both = block("python", "KafkaProducer"), block("js", "kafkajs")
    python, js = (
        text.replace(URL, url_of(store))
        .replace("localhost:9092", bootstrap)
        .replace("interactions.books", topic)
        for text in both
    )
    exec(
        compile(python.replace("from crosscurrent import", "from serving.client import"), str(PAGE), "exec"),
        {},
    )
    done = node(modules, js)
    assert done.returncode == 0, done.stdout + done.stderr
    decoder = Decoder({topic: ("books", "interactions")}, DOMAINS)
    with KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    ) as log:
        events = [decoder.decode(record_of(message)) for _, message in zip(range(4), log, strict=False)]
    assert len(events) == 4
    for shown, click in zip(events[::2], events[1::2], strict=True):
        assert isinstance(shown, Impression)
        assert isinstance(click, Interaction)
        assert (shown.user, list(shown.items), shown.list_ts) == (
            "alice",
            ["hyperion", "solaris", "emma"],
            published,
        )
        assert (click.user, click.item, click.impression) == ("alice", "hyperion", shown.event_id)


def test_java(tmp_path: Path, missing: Callable[[object], NoReturn]) -> None:
    """It compiles against the signatures of Jedis and Jackson, without a warning."""
    if shutil.which("javac") is None:
        missing("javac is not on PATH: apt-get install openjdk-17-jdk-headless")
    (text,) = blocks("java")
    (tmp_path / "Lists.java").write_text(text)
    line = [
        "javac",
        "-Xlint:all,-processing",
        "-Werror",
        "-implicit:class",
        "-sourcepath",
        str(STUBS / "java"),
    ]
    done = subprocess.run(
        [*line, "-d", str(tmp_path / "classes"), "Lists.java"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_go(tmp_path: Path, missing: Callable[[object], NoReturn]) -> None:
    """It is formatted, and passes `go vet` against the signatures of go-redis."""
    if shutil.which("go") is None:
        missing("go is not on PATH: apt-get install golang-go")
    (text,) = blocks("go")
    (tmp_path / "main.go").write_text(text)
    module = "github.com/redis/go-redis/v9"
    (tmp_path / "go.mod").write_text(
        f"module page\n\ngo 1.18\n\nrequire {module} v9.0.0\n\nreplace {module} => {STUBS / 'go'}\n"
    )
    environment = os.environ | {"GOPROXY": "off", "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod"}
    for words in (["gofmt", "-d", "main.go"], ["go", "vet", "."]):
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("language", ["bash", "js", "go", "java"])
def test_every_language_names_keys_of_the_right_type(store: redis.Redis, language: str) -> None:
    """A list is read with GET, a hash with HGET or HMGET; each key of the page is in a store that has its examples."""
    found = 0
    for text in blocks(language):
        for line in text.splitlines():
            for key in KEY.findall(line):
                if "FT.CREATE" in line:
                    continue
                kind = store.type(key)
                before = line[: line.index(key)].lower()
                assert kind == (b"hash" if re.search(r"hm?get\W*(ctx\W*)?$", before) else b"string"), line
                found += 1
    assert found >= 3


def test_types_are_those_of_the_contract() -> None:
    """TypeScript and Go name the fields of the list, and no other."""
    (typescript,) = blocks("ts")
    for struct in (ListedItem, DrawnFrom, RecommendationList):
        (body,) = re.findall(rf"interface {struct.__name__} {{([^}}]+)}}", typescript)
        given = set(re.findall(r"(\w+)\??:", body))
        assert given == {field.name for field in msgspec.structs.fields(struct)}
        needed = set(re.findall(r"(\w+):", body))
        assert needed == {field.name for field in msgspec.structs.fields(struct) if field.required}
    (go,) = blocks("go")
    of_list = {f.name for struct in (ListedItem, RecommendationList) for f in msgspec.structs.fields(struct)}
    assert set(re.findall(r'json:"(\w+)"', go)) <= of_list


def test_the_glossary_has_every_signal() -> None:
    """And no other."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| in `why` |") : text.index("In `cc:similar` the score")]
    assert set(re.findall(r"`(\w+)`", table)) - {"why"} == set(NAMES) | set(MORE)
