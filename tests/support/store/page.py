"""The blocks of code of the page for readers, and a store that holds what they name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from serving.contract import Keys
from tests.support.paths import ROOT
from tests.support.store.reading import listing, put_item, put_meta, put_user

PAGE = ROOT / "deploy" / "docs" / "readers.md"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
NPM = ("redis@5", "kafkajs@2")
URL, HOST = "redis://localhost:6379/0", "localhost"


def blocks(language: str) -> list[str]:
    """Return the blocks in a language, in their order."""
    return [text for name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")) if name == language]


def block(language: str, holding: str) -> str:
    """Return the one block that holds these words."""
    (found,) = [text for text in blocks(language) if holding in text]
    return found


def fill(client: redis.Redis) -> None:
    """Write the user and the items of the page's examples, with vectors of 32 numbers."""
    keys = Keys()
    put_meta(client)
    client.set(keys.recommendations("alice", "books"), listing("hyperion", "solaris", "emma"))
    client.set(keys.popular("books"), listing("emma", "dune"))
    client.set(keys.similar("books", "dune"), listing("hyperion", "solaris"))
    put_user(client, "alice", [1.0] + [0.0] * 31)
    for n, (item, tags) in enumerate(
        {"dune": "space,classic", "solaris": "space", "emma": "classic"}.items()
    ):
        put_item(client, item, [1.0 - n / 4, n / 4] + [0.0] * 30, tags, popularity=3.0 - n)
        client.hset(keys.item("books", item), "title", item.title())


def node_modules(folder: Path) -> Path:
    """Return the folder, with the packages of npm that the page names; skip the test where they are not to be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here: apt-get install nodejs npm")
    line = ["npm", "install", "--no-audit", "--no-fund", "--silent", *NPM]
    if subprocess.run(line, cwd=folder, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip(f"packages of npm are not to be had: npm install {' '.join(NPM)} fails")
    return folder


def node(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a script of Node."""
    script = folder / "page.mjs"
    script.write_text(text)
    return subprocess.run(["node", str(script)], capture_output=True, text=True, check=False, timeout=60)
