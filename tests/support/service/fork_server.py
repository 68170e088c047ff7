"""Start `crosscurrent` from a process that has loaded its libraries: a start takes seconds of CPU less.

Most of the suite's CPU would be imports. A started process runs the same `main` with the words, environment and files
of its order; it differs from one of the shell in what was imported before. Soaks, benchmarks, demos, and
`Running.command` start theirs from the shell.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import gc
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn


class ForkServer:
    """Starts processes. It ends with the process that made it."""

    def __init__(self) -> None:
        self._ended = tempfile.TemporaryDirectory(prefix="crosscurrent-tests-")
        command = [sys.executable, "-m", "tests.support.service.fork_server", self._ended.name]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.close)

    def start(self, words: list[str], log: Path) -> Forked:
        """Start `crosscurrent` with these words, its output appended to `log`."""
        order = {"words": words, "log": str(log.absolute()), "env": dict(os.environ), "cwd": str(Path.cwd())}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return Forked(int(self._server.stdout.readline()), Path(self._ended.name))

    def close(self) -> None:
        """End the server. What it has started goes on."""
        self._server.kill()
        self._server.communicate()
        self._ended.cleanup()


class Forked:
    """One started process, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._file = ended / str(pid)

    def poll(self) -> int | None:
        """Return the exit code, below 0 for a signal; None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(FileNotFoundError, ValueError):
                self.returncode = int(self._file.read_text())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("crosscurrent", timeout or 0.0)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


_server = functools.cache(ForkServer)
"""Returns this process's server, made at the first start."""


def start(words: list[str], log: Path) -> Forked:
    """Start `crosscurrent` from this process's server."""
    return _server().start(words, log)


def serve(ended: Path) -> None:
    """Load everything, then start a process for each line of standard input. Exit codes go to files in `ended`."""
    from consumers import connections  # noqa: F401  (loaded for those that are forked)
    from consumers.report import writer  # noqa: F401
    from consumers.service import service  # noqa: F401
    from models.warm_up import load_all

    load_all()
    gc.collect()
    gc.freeze()

    def reap(*_: Any) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                part = ended / f"{found[0]}.part"
                part.write_text(str(os.waitstatus_to_exitcode(found[1])))
                part.rename(ended / str(found[0]))

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            run(json.loads(line))
        print(pid, flush=True)  # noqa: T201  the tests read it


def run(order: dict[str, Any]) -> NoReturn:
    """Be the process of an order."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(source, number)
    faulthandler.enable()
    sys.argv = ["crosscurrent", *order["words"]]
    code: Any = 1
    try:
        from consumers.cli.main import main

        main()
        code = 0
    except SystemExit as leave:
        code = leave.code
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
