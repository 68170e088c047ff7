"""Run a child process that dies with the process that started it, however that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The guard outlives a killed parent: its stdin is a pipe from us, so it reads the end of file when we die. Unlike
# PDEATHSIG it works outside Linux, does not fire when a mere thread ends, and can be called off.
_GUARD = 'read -r _ || kill -9 -"$1"'


class Guarded:
    """A child process with a session of its own. Ctrl-C in the terminal reaches only the process that started it."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """log: gets what the process prints, after what is there. folder, environ: by default those of this process."""
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=environ,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, None while the process runs. A signal that ended it is negative."""
        return self._process.poll()

    def end(self) -> None:
        """Ask the process to stop (SIGTERM). Return at once."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill the process and its children with -9, if they run."""
        self._guard.kill()
        self._guard.communicate()
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def detach(self) -> None:
        """Let the process outlive this one."""
        self._guard.communicate(b"keep\n")
        self._process.returncode = 0  # Popen's destructor warns of a child that still runs


def end_of(log: Path, lines: int = 5) -> str:
    """Return the last lines of a log, each on a line of its own; "" without a log."""
    with contextlib.suppress(OSError):
        return "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
    return ""
