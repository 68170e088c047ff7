"""`crosscurrent replay`: send history from files to Kafka."""

from __future__ import annotations

from pathlib import Path

import click

from consumers.cli.options import (
    JSON,
    NEEDED_CONFIG,
    RATE,
    asking_options,
    gathered,
    table_options,
    tell_found_config,
    write_json,
)
from consumers.config.loader import load_for_all
from consumers.replay.options import ReplayOptions


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@NEEDED_CONFIG
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@table_options
@asking_options
@click.option("--rate", type=RATE, help="Events per second (default: full speed).")
@click.option("--create-topics", is_flag=True, help="Create missing topics.")
@click.option(
    "--partitions", default=4, show_default=True, help="Partitions of interaction topics that are created."
)
@JSON
@gathered(ReplayOptions)
def replay(options: ReplayOptions, config: Path, json_file: Path | None) -> int:
    """Send historical interactions and items to Kafka, from CSV, TSV, JSON or Parquet, compressed or not.

    First the command says how it understands the files: the column of each field, unused columns, what will be a
    click and what a rating, the first rows as they will be sent, and the bad rows by line. On a terminal it then asks
    whether to go on. It refuses what can be read in two ways, and names the option that decides. Exit code 1 if a file
    was not read to its end.

    \b
    Examples:
      crosscurrent replay ratings.csv movies.csv --domain movies -c crosscurrent.toml --create-topics
      crosscurrent replay interactions.csv.gz items.csv.gz -c crosscurrent.toml --dry-run
      crosscurrent replay sales.parquet -d shop -c crosscurrent.toml --map user_id=buyer --map item_id=sku
      crosscurrent replay shop.csv -d shop -c crosscurrent.toml --type view=click,purchase=rating:5 --yes
      crosscurrent replay export.csv -d shop -c crosscurrent.toml --encoding cp1252 --date-order dmy
    """
    tell_found_config(config)
    from consumers.replay.command import run_replay  # noqa: PLC0415

    code, figures = run_replay(options, load_for_all(config))
    write_json(json_file, figures)
    return code
