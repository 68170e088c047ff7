"""`crosscurrent simulate`: write a simulated world into files, or send it to Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from consumers.cli.options import GIVEN_CONFIG, JSON, RATE, TIME, default_config, gathered, write_json
from consumers.config.loader import load_for_all
from consumers.simulator.closed_loop.settings import WORLDS
from consumers.simulator.presets import WorldOptions, world_settings
from consumers.simulator.scenarios.scenario import NAMES


class Destination(msgspec.Struct, frozen=True):
    """Where the events go: into a folder, or to the Kafka of the config."""

    config: Path | None
    out: Path | None
    truth: Path | None
    create_topics: bool
    rate: float | None


class Loop(msgspec.Struct, frozen=True):
    """The options of a closed loop."""

    closed_loop: bool
    impressions: int | None


IMPRESSIONS = 5_000
"""Impressions of a closed loop, unless another number is asked for."""


@click.command()
@GIVEN_CONFIG
@click.option("--out", type=click.Path(path_type=Path), help="Write files and truth.json into this folder.")
@click.option("--truth", type=click.Path(path_type=Path), help="With --config: write the truth here.")
@click.option("--create-topics", is_flag=True, help="With --config: create missing topics.")
@click.option(
    "--rate",
    type=RATE,
    help="With --config: events per second (default: full speed; with --closed-loop 50 impressions).",
)
@click.option(
    "--world",
    type=click.Path(path_type=Path),
    help="TOML file with a world of your own (deploy/docs/files.md has one); other options override it. "
    f"With --closed-loop one of {', '.join(WORLDS)}.",
)
@click.option(
    "--closed-loop", is_flag=True,
    help="Users choose only among what the lists of a running service show; it learns impressions and clicks.",
)  # fmt: skip
@click.option(
    "--impressions", type=click.IntRange(1), show_default="5000", help="With --closed-loop: lists looked at."
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
    "--seed",
    type=int,
    show_default="0",
    help="Equal seeds give equal worlds, with --end equal events, which a service drops as repeats.",
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
@gathered(Loop, "loop")
def simulate(chosen: WorldOptions, to: Destination, loop: Loop, json_file: Path | None) -> int:
    """Simulate several domains with a known truth, and write their events to Kafka or into files.

    Users have one taste in all domains, each domain has its own bias, and titles have a meaning. The default world has
    movies and books as sources and games as a young target, with a sudden drift in games halfway. The stream ends now.

    With --closed-loop a service must be running. Users look at their lists in its store, from the top, click, tire of
    what they pass over, and recover; new items arrive all along. In the world mute texts do not tell how appealing an
    item is, in text they tell a part, and in news appeal falls with age.

    \b
    Examples:
      crosscurrent simulate --out world --events 50000
      crosscurrent simulate --out news --scenario news --end 2026-11-29T12:00
      crosscurrent simulate --config crosscurrent.toml --create-topics --rate 500 --truth truth.json
      crosscurrent simulate --out world --drift games:gradual:0.4:0.8 --poison movies:0.5
      crosscurrent simulate --config crosscurrent.toml --closed-loop --world mute --impressions 5000 --rate 50
    """
    if loop.closed_loop:
        write_json(json_file, _closed_loop(chosen, to, loop.impressions or IMPRESSIONS))
        return 0
    if loop.impressions is not None:
        raise click.UsageError("--impressions needs --closed-loop")
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


def _closed_loop(chosen: WorldOptions, to: Destination, impressions: int) -> dict[str, Any]:
    """Drive a running service, and print what its users did. Raises UsageError and Stop."""
    others = WorldOptions(world=chosen.world, seed=chosen.seed)
    if chosen != others or to.out is not None or to.truth is not None:
        raise click.UsageError(
            "--closed-loop takes --config, --create-topics, --world, --impressions, --rate, --seed and --json only"
        )
    name = next((name for name in WORLDS if name == str(chosen.world or "")), None)
    if name is None:
        raise click.UsageError(f"--closed-loop needs --world, one of {', '.join(WORLDS)}")
    config = to.config or default_config()
    if config is None:
        raise click.UsageError("--closed-loop needs --config FILE, that of the running service")
    from consumers.simulator.closed_loop.live import RATE, LiveOptions, drive  # noqa: PLC0415  (loads kafka)
    from consumers.simulator.closed_loop.settings import LoopSettings  # noqa: PLC0415

    world = LoopSettings(name, chosen.seed or 0, impressions, before=0)
    figures = drive(LiveOptions(world, to.rate or RATE, to.create_topics), load_for_all(config))
    click.echo(
        f"{name}: {figures['impressions']:,} impressions, {figures['clicks']:,} clicks "
        f"({figures['clicks_per_impression']:.3f} each), {figures['new_share']:.1%} of the places showed new items, "
        f"{figures['empty_lists']:,} lists were empty; lists were {figures['list_age_seconds']:.1f} s old; "
        f"{figures['seconds']:.0f} s"
    )
    return figures
