"""Rescale, and be killed when so many files are written: `python -m … DIRECTORY COUNT FILES`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from consumers.rescaling.run import RescaleOptions, rescale
from models.state.durable_files import write_durably
from tests.support.log.user_log import settings_of


def main() -> None:
    directory, count, files = sys.argv[1:]
    left = int(files)

    def write(path: Path, data: bytes) -> None:
        nonlocal left
        if not left:
            path.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        write_durably(path, data)

    rescale(settings_of(Path(directory)), RescaleOptions(int(count)), print, write)


if __name__ == "__main__":
    main()
