"""`crosscurrent simulate`: write a simulated world into files, or send it to Kafka."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from consumers.cli.options import GIVEN_CONFIG, JSON, RATE, TIME, default_config, gathered, write_json
from consumers.config.loader import load_for_all
from consumers.simulator.presets import WorldOptions, world_settings
from consumers.simulator.scenarios.scenario import NAMES


class Destination(msgspec.Struct, frozen=True):
    """Where the events go: into a folder, or to the Kafka of the config."""

    config: Path | None
    out: Path | None
    truth: Path | None
    create_topics: bool
    rate: float | None


@click.command()
@GIVEN_CONFIG
@click.option("--out", type=click.Path(path_type=Path), help="Write files and truth.json into this folder.")
@click.option("--truth", type=click.Path(path_type=Path), help="With --config: write the truth here.")
@click.option("--create-topics", is_flag=True, help="With --config: create missing topics.")
@click.option("--rate", type=RATE, help="With --config: events per second (default: full speed).")
@click.option(
    "--world",
    type=click.Path(path_type=Path),
    help="TOML file with a world of your own (deploy/docs/files.md has one); other options override it.",
)
@click.option(
    "--scenario", type=click.Choice(NAMES), help="A world with a subject instead of the default one."
)
@click.option(
    "--end",
    "end_ms",
    type=TIME,
    show_default="now",
    help="Time of the last event, such as 2026-11-29T12:00 (UTC).",
)
@click.option("--events", type=click.IntRange(1), show_default="20000", help="Number of interactions.")
@click.option(
    "--seed", type=int, show_default="0", help="Equal seeds give equal worlds, with --end equal events."
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1),
    show_default="0.8",
    help="Share of users in common.",
)
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
@gathered(WorldOptions, "chosen")
@gathered(Destination, "to")
def simulate(chosen: WorldOptions, to: Destination, json_file: Path | None) -> int:
    """Simulate several domains with a known truth, and write their events to Kafka or into files.

    Users have one taste in all domains, each domain has its own bias, and titles have a meaning. The default world has
    movies and books as sources and games as a young target, with a sudden drift in games halfway. The stream ends now.

    \b
    Examples:
      crosscurrent simulate --out world --events 50000
      crosscurrent simulate --out news --scenario news --end 2026-11-29T12:00
      crosscurrent simulate --config crosscurrent.toml --create-topics --rate 500 --truth truth.json
      crosscurrent simulate --out world --drift games:gradual:0.4:0.8 --poison movies:0.5
    """
    from consumers.simulator.output import into_files, into_kafka  # noqa: PLC0415  (loads kafka)

    config = to.config or (default_config() if to.out is None else None)
    if (config is None) == (to.out is None):
        raise click.UsageError("give either --out DIR or --config FILE")
    if chosen.world is not None and chosen.scenario is not None:
        raise click.UsageError("give either --world FILE or --scenario NAME")
    world = world_settings(chosen)
    if to.out is not None:
        figures = into_files(world, to.out)
        click.echo(f"{figures['events']:,} events: {', '.join(figures['files'])}")
    else:
        figures = into_kafka(world, load_for_all(config), to.rate, to.truth, to.create_topics)
        click.echo(
            f"sent {figures['items']:,} items, {figures['sent']:,} events in {figures['seconds']:.1f} s"
        )
    write_json(json_file, figures)
    return 0
