"""Start the service's command line. From a wheel, the service's source lies beside the client, in `_service`."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

SERVICE = Path(__file__).parent / "_service"
PACKAGES = ("consumers", "models", "serving")


def main() -> None:
    """Run `crosscurrent`. Without the service's dependencies it ends with code 2, and names the extra to install.

    `--version` works without them.
    """
    if SERVICE.is_dir():  # not in a checkout
        find(SERVICE)
    try:
        service = importlib.import_module("consumers.cli.main")  # by name: the client does without it
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name in PACKAGES:
            raise
        if sys.argv[1:] == ["--version"]:  # in the words of the service
            sys.stdout.write(f"crosscurrent, version {version('crosscurrent')}\n")
            return
        sys.exit(explain(name))
    service.main()


def find(folder: Path) -> None:
    """Let this process and those that it starts import the service's packages. No other process sees their names."""
    sys.path.insert(0, str(folder))
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{given}" if given else str(folder)


def explain(name: str) -> int:
    """Say what to install. Return the exit code."""
    sys.stderr.write(
        f"crosscurrent: the module {name} is missing. This is the client for readers alone; "
        "for the service: pip install 'crosscurrent[service]'\n"
    )
    return 2
