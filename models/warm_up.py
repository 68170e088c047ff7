"""Compile every kernel before it is needed: `warm()`, or `python -m models.warm_up` to fill the cache ahead."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from numba.core import event

from models import kernels

Progress = Callable[[int, int], object]
"""A function that is called with the number of compiled kernels and of all; with 0, 0 while another compiles."""
READY = "ready"
"""First word of the lines in which the compiling process reports its progress."""
WAIT_SECONDS = 0.2
"""Time between two looks whether the other process has compiled."""
PARTS = "parts"
"""Argument of the process that compiles `learn_parts` only, 40 % of all."""


def is_warm() -> bool:
    """Return whether every kernel is compiled, for these sources and this processor."""
    return kernels.complete_mark(kernels.CACHE).exists()


def warm(progress: Progress = lambda _ready, _all: None) -> None:
    """Compile the kernels that are not compiled yet. It takes about a minute the first time.

    Other processes compile, because compiling takes memory that this process would keep. If several call this at the
    same time, one compiles and the others wait. If the cache cannot be written to, this process compiles. An exception
    of `progress` ends the work. Raises RuntimeError with the last line of the other process if it fails.
    """
    if is_warm():
        return
    if not os.access(kernels.CACHE, os.W_OK):
        compile_all(progress)
        return
    with _alone(progress):
        if not is_warm():  # else another process has compiled meanwhile
            _compile_beside(progress)


@contextlib.contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """Let one process at a time compile into this cache. The lock goes with its process, however that ends."""
    with (kernels.CACHE / "compiling.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(0, 0)
                time.sleep(WAIT_SECONDS)
            except OSError:  # a file system without locks: at worst two compile the same
                break
            else:
                break
        yield


def _compile_beside(progress: Progress) -> None:
    """Let another process compile, and report its progress. Raises RuntimeError if it fails."""
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
            os.killpg(child.pid, signal.SIGKILL)  # also the process that it has started
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
    """A counter of the kernels that are compiled, or read from disk because another process compiled them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_start(self, event: event.Event) -> None:
        """Do nothing: the kernel is not compiled yet."""

    def on_end(self, event: event.Event) -> None:
        """Report the kernels that can be called. A function of numba's own may have been compiled."""
        ready = sum(bool(kernel.signatures) for kernel in kernels.KERNELS)
        self._progress(ready, len(kernels.KERNELS))


def compile_all(progress: Progress) -> None:
    """Compile every kernel in this process, and mark the cache as complete."""
    from models.tiny_stream import learn_it  # noqa: PLC0415  (loads torch)

    with event.install_listener("numba:compile", _Count(progress)):
        learn_it()
    count = len(kernels.KERNELS)
    progress(count, count)  # a kernel within one that was read from disk is not loaded
    if os.access(kernels.CACHE, os.W_OK):
        kernels.complete_mark(kernels.CACHE).touch()


@functools.cache
def load_all() -> None:
    """Read every compiled kernel into this process, which takes about two seconds of CPU; the second call does nothing.

    Numba reads a kernel at its first call. So without this, the first events of a process wait for all of them.
    """
    from models.tiny_stream import learn_it  # noqa: PLC0415  (loads torch)

    learn_it()


def load_beside() -> threading.Thread:
    """Start a thread that calls `load_all`, and return it. Join it before the first event is learned."""
    thread = threading.Thread(target=load_all, name="kernels", daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def _parts_beside() -> Iterator[None]:
    """Let a second process compile `learn_parts` meanwhile, where there is a second core.

    This process comes to those parts late, and then reads from disk what the other one has compiled. If the other one
    fails or is slow, this process compiles all.
    """
    if os.cpu_count() == 1:
        yield
        return
    command = [sys.executable, "-m", "models.warm_up", PARTS]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere) as other:  # noqa: S603  (this module)
        try:
            yield
        finally:
            other.kill()


def main() -> None:
    """Compile every kernel, and report the progress on standard output; with `parts`, those of `learn_parts` only."""
    gc.set_threshold(100_000)  # a compiler makes many objects that stay; looking through them took a tenth
    if sys.argv[1:] == [PARTS]:
        from models.tiny_stream import learn_parts  # noqa: PLC0415  (loads torch)

        learn_parts()
        return
    with _parts_beside():
        compile_all(lambda ready, count: print(READY, ready, count, flush=True))  # noqa: T201  the parent reads it


if __name__ == "__main__":
    main()
