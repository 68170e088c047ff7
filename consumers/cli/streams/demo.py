"""`crosscurrent demo`: run the whole service on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consumers.cli.options import JSON, RATE, gathered, table_options, write_json
from consumers.demo.options import DemoOptions
from consumers.demo.shards.limits import MOST_SHARDS
from consumers.simulator.scenarios.scenario import NAMES
from consumers.terminal import log


@click.command()
@click.option(
    "--events",
    default=12_000,
    show_default=True,
    type=click.IntRange(1000),
    help="Number of events, simulated or from your files.",
)
@click.option(
    "--rate", type=RATE, help="Events per second, from first to last (default: thousands at first, then 120)."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the simulated world.")
@click.option(
    "--replay", "files", multiple=True, type=click.Path(exists=True, path_type=Path),
    help="A file with your own interactions or items instead of simulated ones; once for each file.",
)  # fmt: skip
@click.option(
    "--scenario", type=click.Choice(NAMES),
    help="A simulated world with a subject: news fades in hours, search in a day or two, posts of social in a day, "
    "the shop in weeks, courses in months.",
)  # fmt: skip
@click.option(
    "--target", help="With --replay: the domain to transfer into (default: the one with fewest events)."
)
@table_options
@click.option(
    "--report", default="report", show_default=True, type=click.Path(path_type=Path),
    help="Folder for index.html: figures and plots.",
)  # fmt: skip
@click.option(
    "--keep",
    is_flag=True,
    help="Leave broker, store and service running until Ctrl-C, on the ports 9092, 6379 and 9464 if they are free.",
)
@click.option(
    "--config", default="demo.toml", show_default=True, type=click.Path(path_type=Path),
    help="With --keep: where the config for the other commands is written. It is removed at the end.",
)  # fmt: skip
@click.option(
    "--shards",
    default=1,
    show_default=True,
    type=click.IntRange(1, MOST_SHARDS),
    help="Processes that share the users and are one service. With several, one is killed with kill -9 and comes back; "
    "the summary says what was lost and who waited. Each process takes 0.6 GB of memory. There is no page then.",
)
@JSON
@gathered(DemoOptions)
def demo(options: DemoOptions, json_file: Path | None) -> int:
    """Stream three simulated domains end to end, with nothing else running, and show what transfer brings.

    It starts its own broker and store, in memory. There are two source domains, and a target that drifts. Most events
    come at thousands a second, to show how fast they are learned; then the stream slows down, to show how soon each is
    readable. --replay streams your own files instead: crosscurrent demo --replay own.csv. --shards 4 shows four
    processes and the one that trains their network; one of them is killed, and nothing is lost.

    Of the environment it takes the sections adaptation, impressions, intake, learner, publish and ranker
    (CROSSCURRENT_RANKER__EXPLORE=1), with one process. It says which other settings have no effect.

    \b
    Examples:
      crosscurrent demo
      crosscurrent demo --scenario news
      crosscurrent demo --keep
      crosscurrent demo --shards 4
      crosscurrent demo --replay own.csv
      crosscurrent demo --replay ratings.csv.gz --replay items.csv.gz --target comedy --rate 500
    """
    if options.files and options.scenario is not None:
        raise click.UsageError("give either --replay FILE or --scenario NAME")
    if options.shards > 1 and options.keep:
        raise click.UsageError("--keep leaves one process running, so give it without --shards")
    log.configure(quiet=True)  # the live view shows the same
    code, figures = _run(options)
    write_json(json_file, figures)
    return code


def _run(options: DemoOptions) -> tuple[int, dict[str, Any]]:
    from consumers.demo.demo import run_demo  # noqa: PLC0415  (loads torch)
    from consumers.demo.shards.run import run_shards_demo  # noqa: PLC0415

    return run_demo(options) if options.shards == 1 else run_shards_demo(options)
