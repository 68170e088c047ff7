"""Define options that several commands share, and write the file of `--json`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from click.core import ParameterSource

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

DEFAULT_CONFIG = Path("crosscurrent.toml")
VARIABLE = "CROSSCURRENT_CONFIG"


def _found(context: click.Context, _parameter: click.Parameter, given: Path | None) -> Path | None:
    """Return the config that was given, else the one of the environment, else that of this folder, if it is there."""
    return given if given is not None or context.resilient_parsing else default_config()


def default_config() -> Path | None:
    """Return the config of the environment, else that of this folder, if it is there."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def _needed(context: click.Context, parameter: click.Parameter, given: Path | None) -> Path | None:
    """Return the config as `_found` does. Raises UsageError if there is none."""
    found = _found(context, parameter, given)
    if found is None and not context.resilient_parsing:
        raise click.UsageError(
            f"no config: give it with -c FILE, name it in {VARIABLE}, or write ./{DEFAULT_CONFIG} (crosscurrent init)"
        )
    return found


def is_named() -> bool:
    """Return whether the present command was given its config by `-c`."""
    return click.get_current_context().get_parameter_source("config") is not ParameterSource.DEFAULT


def tell_found_config(config: Path | None, unused: str = "") -> None:
    """Say on stderr which config is read, if it was found and not named. unused: what of it is not used."""
    if config is not None and not is_named():
        where = f"named by {VARIABLE}" if os.environ.get(VARIABLE) else "found in this folder"
        click.echo(f"config: {config}, {where}{unused}; -c FILE names another", err=True)


def _config(callback: Callable[..., Path | None]) -> Callable[[Command], Command]:
    return click.option(
        "--config", "-c", "config", type=click.Path(path_type=Path), callback=callback,
        help=f"TOML file (default: ${VARIABLE}, then ./{DEFAULT_CONFIG}).",
    )  # fmt: skip


CONFIG = _config(_found)
NEEDED_CONFIG = _config(_needed)
GIVEN_CONFIG = click.option(
    "--config", "-c", "config", type=click.Path(path_type=Path),
    help=f"TOML file (default, without --out: ${VARIABLE}, then ./{DEFAULT_CONFIG}).",
)  # fmt: skip
ENCODER = click.option(
    "--encoder",
    help="Text encoder instead of the config's: hashing, a model name or folder, or the URL of a server with OpenAI's "
    "embeddings API.",
)
JSON = click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here.")
RATE = click.FloatRange(0, min_open=True)


class _Time(click.ParamType[int]):
    """A moment of ISO 8601, in UTC unless it says otherwise, as ms since the epoch."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value}: write a time as 2026-11-29T12:00", param, ctx)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


TIME = _Time()


_READING = (
    click.option(
        "--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
        help="The column that holds a field, such as user_id=buyer; without a header, its number from 0. "
        f"Fields: {', '.join(FIELDS)}.",
    ),
    click.option(
        "--type", "types", multiple=True, metavar="NAME=MEANING[,…]",
        help="The meaning of event types: view=click,purchase=rating:5,like=rating,cart=skip.",
    ),
    click.option("--as-clicks", is_flag=True, help="Count every row as a click, although the file has ratings."),
    click.option("--no-time", is_flag=True, help="Give every row the present time, in the file's order."),
    click.option("--date-order", type=click.Choice(["dmy", "mdy"]), help="Order of day and month, as in 03/04/2011."),
    click.option("--encoding", metavar="NAME", help="Encoding of text files (default: by its mark, else UTF-8)."),
    click.option("--delimiter", metavar="TEXT", help="Text between cells, as ';' or tab (default: by the header)."),
    click.option(
        "--rating-range", "limits", metavar="LO:HI",
        help="Range outside which ratings are bad rows (default: the config's; for evaluate, the file's own).",
    ),
)  # fmt: skip


def gathered(struct: type[msgspec.Struct], name: str = "options") -> Callable[[Command], Command]:
    """Hand a command one `struct`, called `name`, in place of the options that the struct has fields for.

    Apply it below the options. A field without an option keeps its default.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_struct(**given: Any) -> Any:
            fields = {key: given.pop(key) for key in struct.__struct_fields__ if key in given}
            return command(**{name: struct(**fields)}, **given)

        return with_struct  # type: ignore[return-value]

    return decorate


def table_options(command: Command) -> Command:
    """Add the options for reading files, which are the same in all commands, as `reading`: a `ReadOptions`."""

    @functools.wraps(command)
    def with_reading(**given: Any) -> Any:
        reading = ReadOptions(
            columns=parse_columns(given.pop("mapping")),
            types=parse_types(given.pop("types")),
            encoding=parse_encoding(given.pop("encoding")),
            delimiter=parse_delimiter(given.pop("delimiter")),
            rating_range=parse_range(given.pop("limits")),
            date_order=given.pop("date_order"),
            as_clicks=given.pop("as_clicks"),
            no_time=given.pop("no_time"),
        )
        return command(reading=reading, **given)

    wrapped: Any = with_reading
    for option in reversed(_READING):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def asking_options(command: Command) -> Command:
    """Add `--dry-run` and `--yes`, which answer the question whether the files were understood."""
    command = click.option("--yes", "-y", is_flag=True, help="Do not ask whether the files were understood.")(
        command
    )
    return click.option(
        "--dry-run", is_flag=True, help="Only say how the files are understood and what is left out."
    )(command)


def write_json(path: Path | None, figures: Any) -> None:
    """Write `figures` to `path`, if there is one. Raises Stop if the file cannot be written.

    Call it before printing: the command ends as soon as the reader of its output has gone.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    except OSError as error:
        raise Stop(f"--json {path}: {error.strerror}") from error
