"""Compile numeric functions (`@kernel`), and keep what was compiled on disk.

A kernel is a plain Python function over arrays and numbers. It allocates little, calls other kernels only, and runs
without the interpreter's lock. Its compiled form lies in a folder that is named by a hash of all kernel sources:
numba looks at a kernel's own file only, and would go on with an old version of a function that it calls.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import binding

KEPT = 8
"""How many folders of earlier sources stay: another checkout may use them."""
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
"""What the compiler may change in sums: their order, but not what inf and nan mean."""
Function = TypeVar("Function", bound=Callable[..., Any])
KERNELS: list[Any] = []
"""All kernels of the modules that are imported, as numba has them."""
SOURCES = Path(__file__).parent
"""Where the modules with kernels lie."""


def kernel(function: Function) -> Function:
    """Compile the function at its first call, for the types of its arguments; from then on it is read from disk."""
    compiled: Function = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)(function)
    KERNELS.append(compiled)
    return compiled


@kernel
def finite(x: Any) -> bool:
    """Return whether x is neither nan nor infinite.

    `np.isfinite` does not say so in a kernel: it looks whether x - x is a number, and a compiler that may reorder sums
    takes that for 0.
    """
    return bool(abs(x) < np.inf)


def sources_hash(folder: Path) -> str:
    """Return a hash of every file below `folder` that holds a kernel, of numba's version and of the processor."""
    digest = hashlib.blake2b(digest_size=8)
    for part in (numba.__version__, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()):
        digest.update(part.encode())
    for path, source in _with_kernels(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()


def _with_kernels(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file below `folder` that holds a kernel, with its source."""
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        if b"@kernel" in source:
            yield path, source


def complete_mark(cache: Path, sources: Path = SOURCES) -> Path:
    """Return the file in a cache folder that says: every kernel of these sources is in it.

    Numba finds a compiled kernel by its source's place and time; where one of them differs, it compiles again.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path, _ in _with_kernels(sources):
        digest.update(f"{path.resolve()} {path.stat().st_mtime_ns}\n".encode())
    return cache / f"complete-{digest.hexdigest()}"


def cache_folder(environment: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """Return where compiled kernels lie: `$CROSSCURRENT_CACHE`, else `$XDG_CACHE_HOME`, else `~/.cache`."""
    if given := environment.get("CROSSCURRENT_CACHE"):
        return Path(given) / "kernels"
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "crosscurrent" / "kernels"


def use_cache(folder: Path, sources: Path = SOURCES) -> Path:
    """Let numba keep the kernels of these sources in a folder of their own; remove the oldest of other sources.

    A folder that cannot be written to is left alone: numba then looks for one itself.
    """
    own = folder / sources_hash(sources)
    try:
        own.mkdir(parents=True, exist_ok=True)
        os.utime(own)
    except OSError:
        return own
    numba.config.CACHE_DIR = str(own)
    others = sorted((p for p in folder.iterdir() if p != own), key=lambda p: p.stat().st_mtime)
    for old in others[: max(0, len(others) - KEPT)]:
        shutil.rmtree(old, ignore_errors=True)
    return own


CACHE = use_cache(cache_folder())
"""The folder of these kernels."""
