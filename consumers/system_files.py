"""Read fields of the files in which Linux tells of the machine, such as /proc/meminfo."""

from __future__ import annotations

from pathlib import Path

MEMORY = Path("/proc/meminfo")


def field(path: Path, name: str) -> str | None:
    """Return the first value of a field; None if the file or the field is not there."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def kilobytes(name: str, path: Path = MEMORY) -> int | None:
    """Return a field of memory in units of 1,024 bytes; None if the system does not tell it."""
    found = field(path, name)
    return None if found is None else int(found.split()[0])
