"""Measure the memory of this process."""

from __future__ import annotations

import os
from pathlib import Path


def resident() -> int:
    """Return the bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
