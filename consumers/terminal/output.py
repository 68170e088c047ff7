"""Protect stdout and stderr of the commands against a reader that goes away, a full disk, or a missing stream."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Any, NoReturn

from consumers.errors import Stop


class ReaderGone(Exception):
    """The reader of our standard output has closed it, as `head` does.

    It is no BrokenPipeError: a socket raises that too, and libraries handle it in their own ways.
    """


class _Output(io.FileIO):
    """A stream that raises ReaderGone for a closed pipe, and Stop for any other failure to write."""

    missing = False
    """Whether the process was started without this stream (`>&-`)."""

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
    """A stream that drops what it cannot write: a full disk under the log must not end the service."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def guard() -> None:
    """Replace Python's standard streams by ones that handle errors. Call it once, at the start of a process."""
    output, errors = sys.stdout, sys.stderr
    _open_standard_descriptors()
    raw = _Output(1, "w", closefd=False)
    raw.missing = output is None
    sys.stdout = _text(raw, output)
    sys.stderr = _text(_Errors(2, "w", closefd=False), errors)
    sys.stderr.reconfigure(line_buffering=True)


def _open_standard_descriptors() -> None:
    """Open closed standard descriptors. Otherwise the next socket or file gets one, and prints go into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _text(raw: io.RawIOBase, like: Any) -> io.TextIOWrapper:
    """Return a text stream that escapes the characters which the encoding (that of `like`, if given) lacks."""
    encoding = "utf-8" if like is None else like.encoding
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty())


def drop() -> None:
    """Send standard output nowhere from now on, so that a full buffer cannot fail at the process's end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    raw: Any = sys.stdout.buffer
    raw.raw.missing = False
    sys.stdout.flush()


def end_by_sigpipe() -> NoReturn:
    """End the process as a closed pipe ends `cat` or `grep`: silently, by the signal (exit code 141 in a shell).

    Python ignores that signal, and has to: a socket whose peer has gone would raise it too.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    raise AssertionError("the signal has ended the process")
