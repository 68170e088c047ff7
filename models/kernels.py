"""Compile numeric functions (`@kernel`), and keep what was compiled on disk.

A kernel is a plain Python function over arrays and numbers. It allocates little, calls only other kernels, and runs
without the interpreter's lock. The compiled code is kept in a folder that is named by a hash of all kernel sources.
Numba alone checks only the kernel's own file, and would keep using an old version of a function that it calls.
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
"""The number of folders of other sources that stay, because another checkout may use them."""
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
"""Freedoms of the compiler: it may reorder sums, but inf and nan keep their meaning."""
Function = TypeVar("Function", bound=Callable[..., Any])
KERNELS: list[Any] = []
"""The compiled functions of all kernels in imported modules."""
SOURCES = Path(__file__).parent
"""The folder of the modules with kernels."""


def kernel(function: Function) -> Function:
    """Return the function as a kernel, compiled at its first call with given types, and read from disk afterwards."""
    options = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": FAST}
    # A wrapper for C, which nothing calls, would cost a tenth of the time to compile
    compiled: Function = numba.njit(**options, no_cfunc_wrapper=True)(function)
    KERNELS.append(compiled)
    return compiled


@kernel
def finite(x: Any) -> bool:
    """Return whether x is neither nan nor infinite.

    `np.isfinite` fails in a kernel: it tests x - x, which a compiler that may reorder sums replaces by 0.
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
    """Return the file that marks a cache folder as complete for these sources.

    Numba finds a compiled kernel by the path and the time of its source, and compiles again if one of them differs.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path, _ in _with_kernels(sources):
        digest.update(f"{path.resolve()} {path.stat().st_mtime_ns}\n".encode())
    return cache / f"complete-{digest.hexdigest()}"


def cache_folder(environment: dict[str, str] | os._Environ[str] = os.environ) -> Path:
    """Return the folder of compiled kernels: in `$CROSSCURRENT_CACHE`, else `$XDG_CACHE_HOME`, else `~/.cache`."""
    if given := environment.get("CROSSCURRENT_CACHE"):
        return Path(given) / "kernels"
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "crosscurrent" / "kernels"


def use_cache(folder: Path, sources: Path = SOURCES) -> Path:
    """Let numba keep the kernels of these sources in their own folder, and remove the oldest folders of other sources.

    Return that folder. If it cannot be written to, numba chooses one itself.
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
