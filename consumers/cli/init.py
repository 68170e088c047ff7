"""`crosscurrent init`: write a config to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from consumers.cli.options import DEFAULT_CONFIG
from consumers.errors import Stop


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG)
def init(file: Path) -> int:
    """Write a config to FILE, with every key and its default commented out. A file that is there stays.

    \b
    Examples:
      crosscurrent init
      crosscurrent init /etc/crosscurrent.toml
    """
    from consumers.config.template import template  # noqa: PLC0415

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise Stop(f"{file} is there already: name another file, or move it away") from None
    except OSError as error:
        raise Stop(f"{file}: {error.strerror}") from error
    click.echo(f"wrote {file}. Name your domains in it, then: crosscurrent check -c {file} --create-topics")
    return 0
