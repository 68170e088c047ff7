"""`crosscurrent bench`: measure speed on this machine, beside other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consumers.bench.run.rows import NAMES
from consumers.cli.options import JSON, write_json
from consumers.errors import BUG
from consumers.terminal import log


@click.command()
@click.argument("rows", nargs=-1, type=click.Choice(NAMES), metavar="[ROWS]...")
@click.option("--quick", is_flag=True, help="Within two minutes; figures are rougher.")
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Folder of a set (interactions.csv.gz, items.csv.gz), or of several, instead of generated events.",
)  # fmt: skip
@click.option(
    "--rate", default=2_000.0, show_default=True, type=click.FloatRange(0, min_open=True),
    help="Events per second of the row freshness.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path), help="SVG or PNG file: cost of an event against size."
)
@click.option(
    "--kafka", metavar="HOST:PORT", default="",
    help="A running broker, instead of the embedded one. Its new topics are deleted at the end.",
)  # fmt: skip
@click.option("--registry", metavar="URL", default="", help="A schema registry, for the row avro.")
@JSON
def bench(
    rows: tuple[str, ...],
    json_file: Path | None,
    **options: Any,
) -> int:
    """Measure speed, freshness and memory on this machine. It starts a broker and a store of its own.

    Each contestant runs in a fresh process, one after the other. Contestants are the service, parts of it, a bare Kafka
    consumer, River's BiasedMF and a bare Redis GET. It takes a quarter of an hour, in which the machine should do
    nothing else. Exit code 1 if a contestant failed.

    \b
    Rows: learner, threads, drain, avro, biased_mf, freshness, lists, read, growth, memory, facts, shards, restart.
    \b
    Examples:
      crosscurrent bench --quick
      crosscurrent bench --json bench.json --plot growth.svg
      crosscurrent bench freshness --rate 300
      crosscurrent bench learner drain --data ~/sets
      crosscurrent bench drain avro --kafka localhost:9092 --registry http://localhost:8081
    """
    from consumers.bench.run.command import Options, run_bench  # noqa: PLC0415
    from consumers.bench.run.table import show  # noqa: PLC0415

    report = run_bench(Options(rows, **options))
    write_json(json_file, report)
    show(report, log.console())
    return BUG if report.failed else 0
