"""The runbook's pages "Add a domain", "Change a role" and "Upgrade", followed command by command.

Their commands are read from the page and run, with real names in place of CONFIG, CHECKPOINTS and URL. What
the page says in words (stop, start, edit the config) is done between them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import load
from consumers.errors import STATE_UNUSABLE
from tests.support.commands import run
from tests.support.paths import ROOT
from tests.support.service.running import PATIENCE
from tests.support.service.service_world import DOMAINS, World

EVENTS = 60
COMMAND = re.compile(r"`((?:crosscurrent|cp|redis-cli) [^`]+)`")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def bootstrap(one_bootstrap: str) -> str:
    """Return one broker: the pages say nothing that depends on its kind."""
    return one_bootstrap


@pytest.fixture
def learned(world: World) -> World:
    """Return a running service that has learned all events."""
    world.fill(EVENTS)
    world.service.start()
    world.service.wait_until_ready()
    world.service.wait_for(lambda: world.learned() == EVENTS, why="all learned")
    return world


def steps(title: str) -> list[str]:
    """Return the numbered steps of one page of the runbook."""
    text = (ROOT / "deploy" / "docs" / "runbook.md").read_text()
    page = text.split(f"### {title}\n")[1].split("\n### ")[0]
    found = re.findall(r"^\d\. (.*(?:\n   .*)*)", page, re.MULTILINE)
    assert len(found) >= 5
    return found


def commands(title: str) -> list[str]:
    return [one for step in steps(title) for one in COMMAND.findall(step)]


def checkpoints(world: World) -> Path:
    return Path(load(world.service.config).checkpoint.directory)


def follow(world: World, command: str) -> str:
    """Run a command of the page, and return what it printed. It must end with 0."""
    names = {
        "CONFIG": str(world.service.config),
        "CHECKPOINTS": str(checkpoints(world)),
        "URL": world.url,
        "cc:meta": f"{world.prefix}:meta",
    }
    for name, real in names.items():
        command = command.replace(name, real)
    name, *words = shlex.split(command)
    if name == "crosscurrent":  # in this process, which has its modules
        code, text = run(*words)
    else:
        done = subprocess.run([name, *words], capture_output=True, text=True, check=False)
        code, text = done.returncode, f"{done.stdout}{done.stderr}"
    assert code == 0, f"{command}\n{text}"
    return text


def change(world: World, domains: dict[str, dict[str, Any]]) -> None:
    """Edit the config as an operator would: other roles, or a section more at its end."""
    text = world.service.config.read_text()
    for name, keys in domains.items():
        if f"[domains.{name}]" in text:
            head, tail = text.split(f"[domains.{name}]\n")
            own, *rest = tail.split("\n[", 1)
            own = re.sub(r'^role = ".*"$', f'role = "{keys["role"]}"', own, flags=re.MULTILINE)
            text = "\n[".join([f"{head}[domains.{name}]\n{own}", *rest])
        else:
            lines = [f'{key} = "{value}"' for key, value in keys.items()]
            text += "\n".join(["", f"[domains.{name}]", *lines, ""])
    world.service.config.write_text(text)


def restarted(world: World) -> list[str]:
    """Start, and return what the log says of this start."""
    before = len(world.service.log.read_text())
    world.service.start()
    world.service.wait_until_ready()
    return world.service.log.read_text()[before:].splitlines()


def said(lines: list[str]) -> list[str]:
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [one["what"] for one in records if one["event"] == "this start differs from the checkpoint"]


def games(world: World) -> dict[str, str]:
    topics = {f"{kind}_topic": f"{kind}.{world.prefix}.games" for kind in ("interactions", "items")}
    return {"role": "target"} | topics


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="the page uses redis-cli")
def test_add_a_domain(learned: World) -> None:
    """The other domains go on, the new one is learned, and every user has a list of it at once."""
    check, backup, renew = commands("Add a domain")
    change(learned, {"games": games(learned)})
    assert "games" in follow(learned, check)
    for n in range(20):
        learned.item("games", f"g{n}", title=f"Title {n} of games")
    learned.producer.flush()
    assert learned.service.stop() == 0
    follow(learned, backup)
    assert list(Path(f"{checkpoints(learned)}.backup").iterdir())
    assert follow(learned, renew).strip() == "1"
    assert "games is new and starts new" in said(restarted(learned))
    assert learned.learned() == 0  # nothing is learned a second time
    learned.rate("games", "u1", "g3", 5, event_id="first")
    learned.producer.flush()
    learned.service.wait_for(lambda: learned.learned() == 1, why="the event of the new domain is learned")
    learned.service.wait_for(lambda: len(learned.items_for("u1", "games")) > 5, why="its user has a list")
    learned.service.wait_for(lambda: len(learned.items_for("u2", "games")) > 5, why="others have one, too")
    assert learned.items_for("u1", "books")


def test_change_a_role(learned: World) -> None:
    """A source becomes a target too: what was learned of it stays, and its users get lists."""
    check, backup = commands("Change a role")
    assert DOMAINS["movies"]["role"] == "source"
    change(learned, {"movies": {"role": "both"}})
    assert load(learned.service.config).domains["movies"].role == "both"
    assert "movies had the role source and has the role both now" in follow(learned, check)
    assert learned.service.stop() == 0
    follow(learned, backup)
    known = learned.counts("u1")
    assert known > 0
    assert "movies had the role source and has the role both now" in said(restarted(learned))
    assert learned.learned() == 0
    learned.rate("movies", "u1", "m3", 5, event_id="first")
    learned.producer.flush()
    learned.service.wait_for(lambda: learned.counts("u1") == known + 1, why="counted on from what was known")
    learned.service.wait_for(lambda: len(learned.items_for("u1", "movies")) > 5, why="a list of the domain")


def test_upgrade_and_back(learned: World) -> None:
    """A state that other versions wrote goes on without learning anew; the backup goes on from where it was."""
    backup, check = commands("Upgrade")
    assert any("pip install -c constraints.txt '.[service]'" in step for step in steps("Upgrade"))
    assert learned.service.stop() == 0
    follow(learned, backup)
    rewrite(newest(checkpoints(learned)), versions={"river": "0.20.0", "torch": "2.0.0"})
    assert "checkpoints" in follow(learned, check)
    lines = restarted(learned)
    assert any("other versions of libraries" in line and "0.20.0" in line for line in lines)
    assert learned.learned() == 0
    known = learned.counts("u1")
    learned.rate("books", "u1", "b3", 5, event_id="after the upgrade")
    learned.producer.flush()
    learned.service.wait_for(lambda: learned.counts("u1") == known + 1, why="goes on")
    assert learned.service.stop() == 0
    shutil.rmtree(checkpoints(learned))
    shutil.copytree(f"{checkpoints(learned)}.backup", checkpoints(learned))
    restarted(learned)
    learned.service.wait_for(
        lambda: learned.learned() == 1, why="what came after the backup is learned again"
    )
    assert learned.counts("u1") == known + 1
    refused_without_a_change(learned)


def refused_without_a_change(world: World) -> None:
    """A version that cannot read the state ends with code 4, and the folder is as it was."""
    assert world.service.stop() == 0
    folder = checkpoints(world)
    rewrite(newest(folder), schema=99)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    world.service.start()
    assert world.service.process is not None
    assert world.service.process.wait(PATIENCE) == STATE_UNUSABLE
    assert {path: path.read_bytes() for path in before} == before


def newest(folder: Path) -> Path:
    """Return the manifest of the newest checkpoint."""
    numbered = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())
    return next(
        file for name in ("manifest.json", "increment.json") if (file := numbered[-1] / name).exists()
    )


def rewrite(manifest: Path, **fields: Any) -> None:
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | fields))
