"""The wheel: a client that needs two libraries, and a service within it that nobody else's imports meet."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import redis

from serving.contract import Keys
from tests.support.paths import ROOT
from tests.support.store.reading import listing

SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "consumers", "models", "serving")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CLIENT_NEEDS = ("redis", "msgspec")
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[object], NoReturn]) -> Path:
    """Build it as anybody would, from a copy: a build leaves files beside the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target), str(source)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        missing("no wheel can be built without a package index: setuptools is not to be had")
    assert done.returncode == 0, done.stderr
    return next(target.glob("crosscurrent-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it with its script, into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*line, "--target", str(folder), str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def two_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the client depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("two")
    for name in CLIENT_NEEDS:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (folder / name).symlink_to(Path(spec.origin).parent)
    return folder


def run(folders: list[Path], *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a Python that sees these folders and the standard library only (`-S`: no site-packages)."""
    environment = (
        os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders)), "COLUMNS": "100"} | variables
    )
    line = [sys.executable, "-S", *words]
    return subprocess.run(line, cwd="/", env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def libraries() -> Path:
    """The folder of all libraries of this environment."""
    spec = importlib.util.find_spec("msgspec")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


def test_it_adds_one_name(wheel: Path) -> None:
    """`consumers`, `models` and `serving` are no names of somebody's site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.split("/")[0] for name in archive.namelist()}
        assert "crosscurrent/py.typed" in archive.namelist()
    assert {name for name in names if not name.endswith(".dist-info")} == {"crosscurrent"}


def test_the_client_reads_with_two_libraries(
    installed: Path, two_libraries: Path, redis_store: object
) -> None:
    """No numpy, no Kafka, no click: both readers read a list."""
    url = str(redis_store.url)  # type: ignore[attr-defined]
    with redis.Redis.from_url(url) as client:
        client.set(Keys().recommendations("alice", "books"), listing("dune"))
    code = (
        "import asyncio\n"
        "from crosscurrent import AsyncReader, Reader\n"
        f"with Reader({url!r}) as reader: print(reader.recommend('alice', 'books').items[0].id)\n"
        "async def later():\n"
        f"    async with AsyncReader({url!r}) as reader:\n"
        "        print((await reader.recommend('alice', 'books')).items[0].id)\n"
        "asyncio.run(later())\n"
        "import sys; print(sorted({'numpy', 'kafka', 'click', 'consumers', 'models', 'serving'} & set(sys.modules)))\n"
    )
    done = run([installed, two_libraries], "-c", code)
    assert (done.returncode, done.stdout) == (0, "dune\ndune\n[]\n"), done.stderr


def test_without_the_service_the_command_names_the_extra(installed: Path, two_libraries: Path) -> None:
    """One line and exit code 2."""
    done = run([installed, two_libraries], str(installed / "bin" / "crosscurrent"), "demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "pip install 'crosscurrent[service]'" in done.stderr


def test_the_version_needs_no_service(installed: Path, two_libraries: Path, libraries: Path) -> None:
    """The same line with and without the service's libraries."""
    script = str(installed / "bin" / "crosscurrent")
    alone, service = (run([installed, more], script, "--version") for more in (two_libraries, libraries))
    assert (alone.returncode, alone.stdout) == (0, f"crosscurrent, version {VERSION}\n"), alone.stderr
    assert alone.stdout == service.stdout


def test_the_help_names_shell_completion(installed: Path, libraries: Path) -> None:
    """And the line that it names prints a completion script."""
    script = str(installed / "bin" / "crosscurrent")
    assert (
        'eval "$(_CROSSCURRENT_COMPLETE=bash_source crosscurrent)"'
        in run([installed, libraries], script, "--help").stdout
    )
    environment = {"_CROSSCURRENT_COMPLETE": "bash_source"}
    assert "complete -o nosort" in run([installed, libraries], script, **environment).stdout


def test_the_package_says_what_it_is(wheel: Path) -> None:
    """Its licence with its text, its addresses, and the system that it was tried on."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        told = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert "License-Expression: Apache-2.0\n" in told
    urls = re.findall(r"^Project-URL: (\w+), https://\S+$", told, re.MULTILINE)
    assert urls == ["Documentation", "Source", "Changelog", "Security"]
    assert re.findall("^Classifier: Operating System :: (.*)$", told, re.MULTILINE) == ["POSIX :: Linux"]


@pytest.mark.parametrize("words", [("--version",), ("demo", "--help")])
def test_the_service_runs_from_the_wheel(installed: Path, libraries: Path, words: tuple[str, ...]) -> None:
    """With the service's libraries the command finds its source within the wheel."""
    done = run([installed, libraries], str(installed / "bin" / "crosscurrent"), *words)
    assert done.returncode == 0, done.stderr
    assert "crosscurrent" in done.stdout


def test_processes_that_the_service_starts_find_it_too(installed: Path, libraries: Path) -> None:
    """As the one that makes whole checkpoints."""
    code = (
        "import subprocess, sys\n"
        "from crosscurrent import command\n"
        "command.find(command.SERVICE)\n"
        "line = [sys.executable, '-S', '-c', 'import models.state.compact as c; print(c.__file__)']\n"
        "subprocess.run(line, check=True)\n"
    )
    done = run([installed, libraries], "-c", code)
    assert done.stdout.strip().startswith(str(installed / "crosscurrent" / "_service")), done.stderr
