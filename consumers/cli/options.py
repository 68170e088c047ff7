"""What several commands of the command line share: options, and the file of `--json`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from consumers.datasets.options import (
    FIELDS,
    ReadOptions,
    parse_columns,
    parse_delimiter,
    parse_encoding,
    parse_range,
    parse_types,
)
from consumers.errors import Stop

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG = click.option(
    "--config", "-c", "config", type=click.Path(path_type=Path),
    help="TOML file; see deploy/crosscurrent.toml.",
)  # fmt: skip
NEEDED_CONFIG = click.option(
    "--config", "-c", "config", type=click.Path(path_type=Path), required=True,
    help="TOML file; see deploy/crosscurrent.toml.",
)  # fmt: skip
JSON = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here.")


_READING = (
    click.option(
        "--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
        help="Which column holds a field, such as user_id=buyer; by number from 0 where there is no header. "
        f"Fields: {', '.join(FIELDS)}.",
    ),
    click.option(
        "--type", "types", multiple=True, metavar="NAME=MEANING[,…]",
        help="What event types stand for: view=click,purchase=rating:5,like=rating,cart=skip.",
    ),
    click.option("--as-clicks", is_flag=True, help="Every row is a click, although the file has ratings."),
    click.option("--no-time", is_flag=True, help="Take every row as of now, in the file's order."),
    click.option("--date-order", type=click.Choice(["dmy", "mdy"]), help="How 03/04/2011 is meant."),
    click.option("--encoding", metavar="NAME", help="Of text files (default: by their mark, else UTF-8)."),
    click.option("--delimiter", metavar="TEXT", help="Between cells (default: by the header), such as ';' or tab."),
    click.option(
        "--rating-range", "limits", metavar="LO:HI",
        help="Ratings outside are bad rows (default: the config's; for evaluate, the file's own).",
    ),
)  # fmt: skip


def table_options(command: Command) -> Command:
    """The options of how files are read, the same in every command: `reading`, a `ReadOptions`."""

    @functools.wraps(command)
    def with_reading(
        *args: Any,
        mapping: tuple[str, ...],
        types: tuple[str, ...],
        as_clicks: bool,
        no_time: bool,
        date_order: Any,
        encoding: str | None,
        delimiter: str | None,
        limits: str | None,
        **kwargs: Any,
    ) -> Any:
        reading = ReadOptions(
            columns=parse_columns(mapping),
            types=parse_types(types),
            encoding=parse_encoding(encoding),
            delimiter=parse_delimiter(delimiter),
            rating_range=parse_range(limits),
            date_order=date_order,
            as_clicks=as_clicks,
            no_time=no_time,
        )
        return command(*args, reading=reading, **kwargs)

    wrapped: Any = with_reading
    for option in reversed(_READING):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def asking_options(command: Command) -> Command:
    """`--dry-run` and `--yes`: what becomes of the question whether the files were understood."""
    command = click.option("--yes", "-y", is_flag=True, help="Do not ask whether the files are understood.")(
        command
    )
    return click.option(
        "--dry-run", is_flag=True, help="Only say what the files were taken for, and what is left out."
    )(command)


def write_json(path: Path | None, figures: Any) -> None:
    """Call it before printing: a reader that has seen enough ends the command. Raises Stop if it cannot be written."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise Stop(f"--json {path}: {error.strerror}") from error
