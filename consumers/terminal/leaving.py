"""End the process in time, although threads may still run."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with `code`, after what is registered with atexit.

    While daemon threads run, the interpreter does not finalize: that was seen to hang for ever when a thread of
    kafka-python was inside OpenSSL.
    """
    if threading.active_count() == 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(code)
