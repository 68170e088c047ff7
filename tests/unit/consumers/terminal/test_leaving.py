"""The end of a process does not depend on its threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREAD = "threading.Thread(target=time.sleep, args=[300], daemon=True).start()"


@pytest.mark.parametrize("thread", [THREAD, "pass"])
def test_the_code_and_all_output_arrive(thread: str) -> None:
    """With and without a running thread, exit functions run and all output arrives."""
    script = (
        "import atexit, threading, time; from consumers.terminal.leaving import leave; "
        f"atexit.register(print, 'bye'); {thread}; print('said'); leave(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "said\nbye\n", "")
