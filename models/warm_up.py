"""Compile every kernel before it is needed: `warm()`, or `python -m models.warm_up` to fill the cache ahead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from models import kernels

Progress = Callable[[int, int], object]
"""Called with the number of kernels that are ready, and of all."""
READY = "ready"
"""Begins the lines by which the compiling process tells how far it is."""


def is_warm() -> bool:
    """Return whether every kernel is compiled, for these sources and this processor."""
    return kernels.complete_mark(kernels.CACHE).exists()


def warm(progress: Progress = lambda _ready, _all: None) -> None:
    """Compile what is not compiled yet: less than a minute once, nothing from then on.

    Another process does it, because compiling takes memory that this one would keep. Where the cache cannot be written
    to, this one does it. Raises RuntimeError, with the last that the other said, if it fails.
    """
    if is_warm():
        return
    if not os.access(kernels.CACHE, os.W_OK):
        for ready, count in compile_all():
            progress(ready, count)
        return
    path = os.pathsep.join([str(kernels.SOURCES.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-m", "models.warm_up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    ) as child:
        assert child.stdout is not None
        last = ""
        for line in child.stdout:
            words = line.split()
            if words[:1] == [READY]:
                progress(int(words[1]), int(words[2]))
            elif words:
                last = line.strip()
    if child.returncode:
        raise RuntimeError(f"the numeric code cannot be compiled: {last}")


def compile_all() -> Iterator[tuple[int, int]]:
    """Compile every kernel, and note that it is done; yield (kernels that are ready, all) along the way."""
    from models.tiny_stream import learn_it  # noqa: PLC0415  (loads torch)

    for _ in learn_it():
        yield sum(bool(one.signatures) for one in kernels.KERNELS), len(kernels.KERNELS)
    if os.access(kernels.CACHE, os.W_OK):
        kernels.complete_mark(kernels.CACHE).touch()


def main() -> None:
    """Compile, and tell whoever reads how far it is."""
    for ready, count in compile_all():
        print(READY, ready, count, flush=True)  # noqa: T201  the parent hears of it


if __name__ == "__main__":
    main()
