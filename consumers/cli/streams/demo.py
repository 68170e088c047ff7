"""`crosscurrent demo`: run the whole service on one machine."""

from __future__ import annotations

from pathlib import Path

import click

from consumers.cli.options import JSON, RATE, gathered, table_options, write_json
from consumers.demo.options import DemoOptions
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
    "--target", help="With --replay: the domain to transfer into (default: the one with fewest events)."
)
@table_options
@click.option(
    "--report", default="report", show_default=True, type=click.Path(path_type=Path),
    help="Folder for index.html: figures and plots.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave broker, store and service running until Ctrl-C.")
@JSON
@gathered(DemoOptions)
def demo(options: DemoOptions, json_file: Path | None) -> int:
    """Stream three simulated domains end to end, with nothing else running, and show what transfer brings.

    It starts its own broker and store, in memory. There are two source domains, and a target that drifts. Most events
    come at thousands a second, to show how fast they are learned; then the stream slows down, to show how soon each is
    readable.

    \b
    Examples:
      crosscurrent demo
      crosscurrent demo --keep
      crosscurrent demo --replay ratings.csv.gz --replay items.csv.gz --target comedy --rate 500
    """
    log.configure(quiet=True)  # the live view shows the same
    from consumers.demo.demo import run_demo  # noqa: PLC0415  (loads torch)

    code, figures = run_demo(options)
    write_json(json_file, figures)
    return code
