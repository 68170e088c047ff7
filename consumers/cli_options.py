"""What several commands of the command line share: options, and the file of `--json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from consumers.errors import Stop

CONFIG = click.option(
    "--config", "-c", "config", type=click.Path(path_type=Path),
    help="TOML file; see deploy/crosscurrent.toml.",
)  # fmt: skip
NEEDED_CONFIG = click.option(
    "--config", "-c", "config", type=click.Path(path_type=Path), required=True,
    help="TOML file; see deploy/crosscurrent.toml.",
)  # fmt: skip
JSON = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here.")


def write_json(path: Path | None, figures: Any) -> None:
    """Call it before printing: a reader that has seen enough ends the command. Raises Stop if it cannot be written."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise Stop(f"--json {path}: {error.strerror}") from error
