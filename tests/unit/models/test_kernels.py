"""Compiled kernels have a folder for each version of their sources, and few folders stay."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numba
import pytest

from models.kernels import KEPT, cache_folder, finite, kernel, sources_hash, use_cache
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore numba's settings after each test."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a copy of the signals and of the modules that they call."""
    tree = tmp_path / "models"
    for name in ("signals", "text", "tables"):
        shutil.copytree(ROOT / "models" / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


def test_a_changed_kernel_has_another_folder(tmp_path: Path, sources: Path) -> None:
    """A change or a new name of any file with a kernel means another folder; the old source finds the old one."""
    first = use_cache(tmp_path / "cache", sources)
    assert first.is_dir()
    assert Path(numba.config.CACHE_DIR) == first
    for name in ("signals/log1p.py", "text/nearest.py"):
        path = sources / name
        text = path.read_text()
        path.write_text(text.replace("@kernel\n", "# changed\n@kernel\n", 1))
        changed = use_cache(tmp_path / "cache", sources)
        assert changed != first
        assert Path(numba.config.CACHE_DIR) == changed
        path.write_text(text)
        assert use_cache(tmp_path / "cache", sources) == first
    (sources / "signals/log1p.py").rename(sources / "signals/logarithm.py")
    assert use_cache(tmp_path / "cache", sources) not in (first, changed)


def test_a_file_without_a_kernel_changes_nothing(sources: Path) -> None:
    before = sources_hash(sources)
    with (sources / "text" / "encoder.py").open("a") as file:
        file.write("\n# nothing to compile\n")
    assert sources_hash(sources) == before


def test_folders_of_the_oldest_sources_are_removed(tmp_path: Path, sources: Path) -> None:
    """The latest used folders stay."""
    cache, made = tmp_path / "cache", list[Path]()
    for n in range(KEPT + 4):
        (sources / "signals" / "log1p.py").write_text(f"@kernel\n# {n}\n")
        made.append(use_cache(cache, sources))
        (made[-1] / "compiled.nbc").write_bytes(b"code")
        os.utime(made[-1], (1000 + n, 1000 + n))
        if n == KEPT + 1:
            os.utime(made[2], (2000, 2000))
    left = set(cache.iterdir())
    assert len(left) == KEPT + 1
    assert left == {made[2], *made[-KEPT:]}
    assert all((folder / "compiled.nbc").exists() for folder in left)


def test_a_folder_that_cannot_be_made_is_left_alone(tmp_path: Path, sources: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    before = numba.config.CACHE_DIR
    use_cache(tmp_path / "file" / "cache", sources)
    assert before == numba.config.CACHE_DIR


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CROSSCURRENT_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c/kernels"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/crosscurrent/kernels"),
        ({}, str(Path.home() / ".cache/crosscurrent/kernels")),
    ],
    ids=["own", "xdg", "home"],
)
def test_where_the_cache_lies(environment: dict[str, str], expected: str) -> None:
    assert cache_folder(environment) == Path(expected)


@kernel
def _finite_difference(left: float, right: float) -> bool:
    return finite(left - right)


def test_finite_is_no_matter_of_sums() -> None:
    """`finite` also works on a difference x, although the compiler replaces x - x by 0."""
    inf, nan = float("inf"), float("nan")
    pairs = [(2.0, 1.0), (1e308, 1.0), (inf, 1.0), (1.0, inf), (inf, inf), (nan, 1.0)]
    assert [_finite_difference(*pair) for pair in pairs] == [True, True, False, False, False, False]
