"""`simulate`, `replay`, `pretrain`: events from a made-up world or from files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from consumers.cli.options import CONFIG, JSON, NEEDED_CONFIG, asking_options, table_options, write_json
from consumers.config.loader import load
from consumers.datasets.options import ReadOptions


@click.command()
@CONFIG
@click.option("--out", type=click.Path(path_type=Path), help="Write files and truth.json into this folder.")
@click.option(
    "--layout", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True, help="With --out."
)
@click.option("--truth", type=click.Path(path_type=Path), help="With --config: write the truth here.")
@click.option("--create-topics", is_flag=True, help="With --config: create missing topics.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="With --config: events per second (default: full speed).",
)
@click.option(
    "--world",
    type=click.Path(path_type=Path),
    help="TOML file with a world of your own (deploy/docs/files.md has one); options go first.",
)
@click.option("--events", type=click.IntRange(1), show_default="20000", help="Interactions in all.")
@click.option("--seed", type=int, show_default="0", help="Same seed, same world and events.")
@click.option("--overlap", type=click.FloatRange(0, 1), show_default="0.8", help="Share of common users.")
@click.option(
    "--drift",
    "drifts",
    multiple=True,
    metavar="DOMAIN:KIND:AT[:BIAS]",
    help="sudden, gradual or recurring; AT: share of the events, or an event number. `none`: no drift.",
)
@click.option(
    "--poison",
    "poisons",
    multiple=True,
    metavar="DOMAIN[:AT]",
    help="From AT on this domain's ratings are inverted.",
)
@JSON
def simulate(
    config: Path | None,
    out: Path | None,
    layout: Literal["csv", "jsonl"],
    truth: Path | None,
    create_topics: bool,
    rate: float | None,
    world: Path | None,
    events: int | None,
    seed: int | None,
    overlap: float | None,
    drifts: tuple[str, ...],
    poisons: tuple[str, ...],
    json_file: Path | None,
) -> int:
    """Generate several domains with a known truth, into Kafka or into files.

    Users share tastes across domains; domains have their own biases; titles carry meaning. Without --world: movies
    and books as sources, games as a young target, with a sudden drift in games halfway.

    \b
    Examples:
      crosscurrent simulate --out world --events 50000
      crosscurrent simulate --config crosscurrent.toml --create-topics --rate 500 --truth truth.json
      crosscurrent simulate --out world --drift games:gradual:0.4:0.8 --poison movies:0.5
    """
    from consumers.simulator import presets as worlds  # noqa: PLC0415

    if (config is None) == (out is None):
        raise click.UsageError("give either --out DIR or --config FILE")
    settings = worlds.settings(world, events, seed, overlap, drifts, poisons)
    if out is not None:
        figures = worlds.into_files(settings, out, layout)
    else:
        figures = worlds.into_kafka(settings, load(config), rate, truth, create_topics)
    if out is not None:
        click.echo(f"{figures['events']:,} events: {', '.join(figures['files'])}")
    else:
        click.echo(
            f"sent {figures['items']:,} items, {figures['sent']:,} events in {figures['seconds']:.1f} s"
        )
    write_json(json_file, figures)
    return 0


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@NEEDED_CONFIG
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@table_options
@asking_options
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Events per second (default: full speed)."
)
@click.option("--create-topics", is_flag=True, help="Create missing topics.")
@click.option("--partitions", default=4, show_default=True, help="Of created interaction topics.")
@JSON
def replay(
    files: tuple[Path, ...],
    config: Path,
    domain: str | None,
    reading: ReadOptions,
    dry_run: bool,
    yes: bool,
    rate: float | None,
    create_topics: bool,
    partitions: int,
    json_file: Path | None,
) -> int:
    """Send historical interactions and items into Kafka: CSV, TSV, JSON or Parquet, packed or not.

    First it says what it took the files for: which column gives which field, what is not used, what will be a click
    and what a rating, the first rows as they will be sent, and the bad rows by line. On a terminal it asks then. What
    can be read in two ways is refused, with the option that settles it. Exit code 1 where a file was not read to its
    end.

    \b
    Examples:
      crosscurrent replay ratings.csv movies.csv --domain movies -c crosscurrent.toml --create-topics
      crosscurrent replay interactions.csv.gz items.csv.gz -c crosscurrent.toml --dry-run
      crosscurrent replay sales.parquet -d shop -c crosscurrent.toml --map user_id=buyer --map item_id=sku
      crosscurrent replay shop.csv -d shop -c crosscurrent.toml --type view=click,purchase=rating:5 --yes
      crosscurrent replay export.csv -d shop -c crosscurrent.toml --encoding cp1252 --date-order dmy
    """
    from consumers.cli.replay import run_replay  # noqa: PLC0415

    code, figures = run_replay(
        files, load(config), domain, reading, rate, create_topics, partitions, dry_run, yes
    )
    write_json(json_file, figures)
    return code


@click.command()
@click.option(
    "--interactions", required=True, type=click.Path(path_type=Path), help="Events: .csv, .csv.gz, Parquet …"
)
@click.option("--items", required=True, type=click.Path(path_type=Path), help="Items with titles and text.")
@NEEDED_CONFIG
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Checkpoint folder for `run`.")
@click.option("--domain", "-d", help="Domain of all rows; with a domain column: only its rows.")
@table_options
@asking_options
@click.option(
    "--holdout", default=0.2, show_default=True, type=click.FloatRange(0, 1, max_open=True),
    help="Share of the events, the last in time, that is measured before it is learned.",
)  # fmt: skip
@click.option("--encoder", help="Text encoder instead of the config's: hashing, a model name or folder.")
@click.option("--no-final-fit", is_flag=True, help="Do not learn the held-out events afterwards.")
@click.option("--force", is_flag=True, help="Replace the checkpoints that are in --out.")
@JSON
def pretrain(
    interactions: Path,
    items: Path,
    config: Path,
    out: Path,
    domain: str | None,
    reading: ReadOptions,
    dry_run: bool,
    yes: bool,
    holdout: float,
    encoder: str | None,
    no_final_fit: bool,
    force: bool,
    json_file: Path | None,
) -> int:
    """Learn historic files into a first checkpoint for `run`, and measure it on their last part in time.

    For history that is NOT in Kafka: `run` then reads its log from the beginning, and an event that is in both is
    learned twice, unless its event_id is among the latest `intake.dedup_events`. Files are read as by `replay`, which
    says first what it took them for: rows with missing values are left out and named. Needs neither Kafka nor Redis;
    `run` publishes everything it finds in the checkpoint.

    \b
    Examples:
      crosscurrent pretrain -c crosscurrent.toml --interactions events.csv.gz --items items.csv --out checkpoints
      crosscurrent pretrain -c crosscurrent.toml --interactions ratings.csv --items movies.csv --domain movies \\
        --out warm --holdout 0.1 --json figures.json
      crosscurrent pretrain -c crosscurrent.toml --interactions log.tsv --items items.csv --domain shop --out warm \\
        --map user_id=visitor --type view=click,sale=rating:5 --dry-run
      CROSSCURRENT_CHECKPOINT__DIRECTORY=warm crosscurrent run -c crosscurrent.toml
    """
    settings = load(config)
    from consumers.pretraining.run import Options, run_pretrain  # noqa: PLC0415  (loads torch)

    options = Options(
        interactions, items, out, domain, holdout, encoder, not no_final_fit, force, reading, dry_run, yes
    )
    code, figures = run_pretrain(options, settings)
    write_json(json_file, figures)
    return code
