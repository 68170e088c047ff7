"""Compile every kernel before it is needed: `warm()`, or `python -m models.warm_up` to fill the cache ahead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from numba.core import event

from models import kernels

Progress = Callable[[int, int], object]
"""A function that is called with the number of compiled kernels and the number of all kernels."""
READY = "ready"
"""First word of the lines in which the compiling process reports its progress."""


def is_warm() -> bool:
    """Return whether every kernel is compiled, for these sources and this processor."""
    return kernels.complete_mark(kernels.CACHE).exists()


def warm(progress: Progress = lambda _ready, _all: None) -> None:
    """Compile the kernels that are not compiled yet. It takes about a minute the first time.

    Another process compiles, because compiling takes memory that this process would keep. If the cache cannot be
    written to, this process compiles. An exception of `progress` ends the work. Raises RuntimeError with the last line
    of the other process if it fails.
    """
    if is_warm():
        return
    if not os.access(kernels.CACHE, os.W_OK):
        compile_all(progress)
        return
    path = os.pathsep.join([str(kernels.SOURCES.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, "-m", "models.warm_up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C reaches this process only, which then ends the other
    ) as child:
        try:
            last = _follow(child, progress)
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        raise RuntimeError(f"the numeric code cannot be compiled: {last}")


def _follow(child: subprocess.Popen[str], progress: Progress) -> str:
    """Report the other process's progress, and return its last line that is no report."""
    assert child.stdout is not None
    last = ""
    for line in child.stdout:
        words = line.split()
        if words[:1] == [READY]:
            progress(int(words[1]), int(words[2]))
        elif words:
            last = line.strip()
    return last


class _Count(event.Listener):  # type: ignore[misc]  # numba has no types
    """A counter of compiled kernels."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._ready = progress, set[int]()

    def on_start(self, event: event.Event) -> None:
        """Do nothing: the kernel is not compiled yet."""

    def on_end(self, event: event.Event) -> None:
        """Count a function that was compiled for one combination of types."""
        dispatcher = event.data["dispatcher"]
        if any(dispatcher is kernel for kernel in kernels.KERNELS):  # and no function of numba's own
            self._ready.add(id(dispatcher))
            self._progress(len(self._ready), len(kernels.KERNELS))


def compile_all(progress: Progress) -> None:
    """Compile every kernel in this process, and mark the cache as complete."""
    from models.tiny_stream import learn_it  # noqa: PLC0415  (loads torch)

    with event.install_listener("numba:compile", _Count(progress)):
        learn_it()
    if os.access(kernels.CACHE, os.W_OK):
        kernels.complete_mark(kernels.CACHE).touch()


def main() -> None:
    """Compile every kernel, and report the progress on standard output."""
    compile_all(lambda ready, count: print(READY, ready, count, flush=True))  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main()
