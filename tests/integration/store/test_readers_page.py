"""The page for readers: its lines run as they stand, where their runtime is here, and name keys that exist."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
import redis

from consumers.demo.embedded_servers import Server
from models.learning.shown.list_maker import MORE
from models.signals.registry import NAMES
from serving.client.lists import DrawnFrom
from serving.contract import ListedItem, RecommendationList
from tests.support.store.page import PAGE, URL, block, blocks, fill

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
    ran = [text for text in blocks("python") if "from crosscurrent import" in text]
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


def test_node(store: redis.Redis, tmp_path: Path) -> None:
    """Buffers stay bytes: the vector has the numbers that were written."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here: apt-get install nodejs npm")
    line = ["npm", "install", "--no-audit", "--no-fund", "--silent", "redis@5"]
    if subprocess.run(line, cwd=tmp_path, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip("the npm package redis is not to be had: npm install redis@5 fails")
    script = tmp_path / "page.mjs"
    (text,) = blocks("js")
    script.write_text(text.replace(URL, url_of(store)))
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [item["id"] for item in said["items"]] == ["hyperion", "solaris", "emma"]
    assert [item["id"] for item in said["similar"]] == ["hyperion", "solaris"]
    assert said["vector"] == VECTOR


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
