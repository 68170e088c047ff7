"""After compiling ahead nothing is left to compile; progress is reported, and waiting can be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import kernels
from models.warm_up import is_warm, warm
from tests.support.paths import ROOT


def test_nothing_is_left_to_compile() -> None:
    """Learning in batches of several sizes, a state from disk, and lists read every kernel from the cache."""
    warm()
    command = [sys.executable, "-m", "tests.support.learners.compiled_later"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["compiled"] == []
    assert {"learn_events", "predict_events", "propose", "judge", "fold", "recall"} <= set(found["read"])


def test_a_warm_cache_is_left_alone() -> None:
    """The second start reports no progress."""
    warm()
    assert is_warm()
    told: list[tuple[int, int]] = []
    warm(lambda ready, count: told.append((ready, count)))
    assert told == []


def test_a_touched_source_is_compiled_again(tmp_path: Path) -> None:
    """The mark depends on a source's place and time, as numba's cache does."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "sums.py").write_text("@kernel\ndef add(): ...\n")
    cache = tmp_path / "cache"
    before = kernels.complete_mark(cache, one)
    assert before == kernels.complete_mark(cache, one)
    assert before != kernels.complete_mark(cache, other)
    os.utime(one / "sums.py", (1, 1))
    assert before != kernels.complete_mark(cache, one)


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, and a package `models` whose `warm_up.py` the test writes."""
    package = tmp_path / "models"
    package.mkdir()
    (package / "__init__.py").touch()
    (tmp_path / "cache").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kernels, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(kernels, "SOURCES", package)
    return package / "warm_up.py"


def test_progress_is_handed_on(cold: Path) -> None:
    """Other lines of the process do not count as progress."""
    cold.write_text("print('ready 1 3'); print('a warning'); print('ready 3 3')")
    told: list[tuple[int, int]] = []
    warm(lambda ready, count: told.append((ready, count)))
    assert told == [(1, 3), (3, 3)]


def test_a_failure_is_named(cold: Path) -> None:
    """The error has the process's last line."""
    cold.write_text("print('ready 1 3', flush=True); raise ValueError('no such instruction')")
    with pytest.raises(RuntimeError, match="ValueError: no such instruction"):
        warm()


class GoneError(Exception):
    """Raised by a progress function to end the wait."""


def test_whoever_waits_may_go(cold: Path, tmp_path: Path) -> None:
    """If the wait is ended, the other process ends too."""
    cold.write_text(
        "import os, time\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "print('ready 1 3', flush=True)\n"
        "time.sleep(1000)\n"
    )

    def go(_ready: int, _count: int) -> None:
        raise GoneError

    with pytest.raises(GoneError):
        warm(go)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_one_process_compiles_and_others_wait(cold: Path) -> None:
    """Whoever comes second is told so, and compiles nothing after the first has. A dead process holds nobody up."""
    cold.write_text("raise ValueError('it compiles')")
    hold = (
        "import fcntl, time\n"
        f"file = open({str(kernels.CACHE / 'compiling.lock')!r}, 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(1000)\n"
    )
    told: list[tuple[int, int]] = []
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        def go(ready: int, count: int) -> None:
            if not told:
                kernels.complete_mark(kernels.CACHE).touch()
                other.kill()
            told.append((ready, count))

        warm(go)
    assert set(told) == {(0, 0)}


def test_a_cache_of_others_is_filled_in_this_process(cold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a writable cache no other process is started, and no mark is left."""
    assert not cold.exists()  # another process would fail
    monkeypatch.setattr(kernels, "CACHE", cold.parent / "nowhere")
    warm()
    assert not is_warm()
