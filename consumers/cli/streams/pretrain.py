"""`crosscurrent pretrain`: learn history from files into a first checkpoint."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from consumers.cli.options import (
    ENCODER,
    JSON,
    NEEDED_CONFIG,
    asking_options,
    gathered,
    table_options,
    tell_found_config,
    write_json,
)
from consumers.config.loader import load_for_all
from consumers.pretraining.options import PretrainOptions


@click.command()
@click.option(
    "--interactions", required=True, type=click.Path(path_type=Path), help="Events: .csv, .csv.gz, Parquet …"
)
@click.option(
    "--items",
    type=click.Path(path_type=Path),
    help="Items with titles and text (default: the items of the events, without text).",
)
@NEEDED_CONFIG
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Checkpoint folder for `run`.")
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@table_options
@asking_options
@click.option(
    "--holdout", default=0.2, show_default=True, type=click.FloatRange(0, 1, max_open=True),
    help="Share of the latest events that is measured before it is learned.",
)  # fmt: skip
@ENCODER
@click.option("--no-final-fit", is_flag=True, help="Do not learn the held-out events afterwards.")
@click.option("--force", is_flag=True, help="Replace the checkpoints that are in --out.")
@JSON
@gathered(PretrainOptions)
def pretrain(options: PretrainOptions, config: Path, no_final_fit: bool, json_file: Path | None) -> int:
    """Learn history from files into a first checkpoint for `run`, and measure it on the last part in time.

    Use it for history that is NOT in Kafka. `run` then reads its log from the beginning, and an event that is in both
    is learned twice, unless its event_id is among the latest `intake.dedup_events`. Files are read as `replay` reads
    them: first the command says how it understands them. Rows with missing values are left out and named. It needs
    neither Kafka nor Redis; `run` publishes everything that the checkpoint holds.

    \b
    Examples:
      crosscurrent pretrain -c crosscurrent.toml --interactions events.csv.gz --items items.csv --out checkpoints
      crosscurrent pretrain -c crosscurrent.toml --interactions ratings.csv --items movies.csv --domain movies \\
        --out warm --holdout 0.1 --json figures.json
      crosscurrent pretrain -c crosscurrent.toml --interactions log.tsv --items items.csv --domain shop --out warm \\
        --map user_id=visitor --type view=click,sale=rating:5 --dry-run
      CROSSCURRENT_CHECKPOINT__DIRECTORY=warm crosscurrent run -c crosscurrent.toml
    """
    tell_found_config(config)
    settings = load_for_all(config)
    from consumers.pretraining.run import run_pretrain  # noqa: PLC0415  (loads torch)

    options = msgspec.structs.replace(options, final_fit=not no_final_fit)
    code, figures = run_pretrain(options, settings)
    write_json(json_file, figures)
    return code
