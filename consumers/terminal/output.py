"""Standard output and error of the commands, where a reader goes away, a disk is full, or there is none at all."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Any, NoReturn

from consumers.errors import Stop


class ReaderGone(Exception):
    """Whoever read our standard output has closed it, as `head` does: there is nobody left to write for.

    No BrokenPipeError: a socket's would be one too, and libraries have ideas of their own about it.
    """


class _Output(io.FileIO):
    """Raises ReaderGone for a closed pipe, Stop for anything else that forbids writing."""

    missing = False
    """The process was started without this stream (`>&-`)."""

    def write(self, data: Any, /) -> int:
        try:
            if self.missing:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return super().write(data)
        except BrokenPipeError as error:
            raise ReaderGone from error
        except OSError as error:
            raise Stop(f"standard output cannot be written: {error.strerror}") from error


class _Errors(io.FileIO):
    """Drops what cannot be written: a log on a full disk must not end the service, and there is nowhere to tell."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def guard() -> None:
    """Puts streams that say so in the place of Python's. Call once, at the start of a process."""
    output, errors = sys.stdout, sys.stderr
    _open_standard_descriptors()
    raw = _Output(1, "w", closefd=False)
    raw.missing = output is None
    sys.stdout = _text(raw, output)
    sys.stderr = _text(_Errors(2, "w", closefd=False), errors)
    sys.stderr.reconfigure(line_buffering=True)


def _open_standard_descriptors() -> None:
    """A standard descriptor that is closed would be given to the next socket or file, and prints would go there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _text(raw: io.RawIOBase, like: Any) -> io.TextIOWrapper:
    """Characters that the encoding (of `like`, if there is one) does not have are written as escapes."""
    encoding = "utf-8" if like is None else like.encoding
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty())


def drop() -> None:
    """From now on standard output goes nowhere: nothing may fail at the process's end for what waits in a buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    raw: Any = sys.stdout.buffer
    raw.raw.missing = False
    sys.stdout.flush()


def end_by_sigpipe() -> NoReturn:
    """Ends the process as a closed pipe ends `cat` or `grep`: without a word, by the signal (a shell says 141).

    Python ignores that signal, and must: a socket whose peer is gone would raise it, too.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    raise AssertionError("the signal has ended the process")
