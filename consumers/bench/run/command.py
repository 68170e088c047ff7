"""Run `crosscurrent bench`: measure row after row. A contestant that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from consumers.bench.run.brokers import EMBEDDED, Brokers
from consumers.bench.run.figure import Figure
from consumers.bench.run.machine import machine, today, versions
from consumers.bench.run.plan import Plan, plan
from consumers.bench.run.plot import write_plot
from consumers.bench.run.rows import NAMES, Rows
from consumers.bench.run.runner import ContestantFailed, Ran, Runner
from consumers.demo.embedded_servers import EmbeddedError
from consumers.errors import Stop
from consumers.terminal import log, progress
from consumers.terminal.compiling import compile_first


class Options(NamedTuple):
    """Options of `crosscurrent bench`. rows: some of `NAMES`; empty for all, `avro` only with a registry.

    kafka: `HOST:PORT` of a broker that runs; "" for the embedded one. registry: URL of a schema registry.
    """

    rows: Sequence[str] = ()
    quick: bool = False
    data: Path | None = None
    rate: float = Plan().rate
    plot: Path | None = None
    kafka: str = ""
    registry: str = ""


class Failed(msgspec.Struct):
    """A row without figures, because a contestant failed."""

    row: str
    contestant: str
    why: str


class Report(msgspec.Struct):
    """Everything about a run: machine, broker, rows, and the answer of each contestant."""

    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    quick: bool
    broker: str = EMBEDDED
    """The broker that rows were measured on, if they need one. Reports of earlier versions do not have it."""
    rows: list[Figure] = []
    failed: list[Failed] = []
    contestants: list[Ran] = []
    seconds: float = 0.0


def run_bench(options: Options) -> Report:
    """Measure the rows of the options, and draw the plot. Raises Stop."""
    begun, wanted = time.monotonic(), _wanted(options)
    if options.plot is not None and "growth" not in wanted:
        raise Stop("--plot draws the row growth: name it too, or no row at all")
    chosen = plan(options.quick, options.data, options.rate)
    try:
        brokers = Brokers(options.kafka)
        report = Report(today(), machine(), versions(), options.quick, brokers.name)
        _fill(report, wanted, lambda runner: Rows(runner, chosen, brokers, options.registry))
    except EmbeddedError as error:
        raise Stop(str(error)) from error
    report.seconds = round(time.monotonic() - begun, 1)
    grown = [ran.figures["points"] for ran in report.contestants if ran.contestant == "growth"]
    if options.plot is not None and grown:
        write_plot(options.plot, grown)
    return report


def _wanted(options: Options) -> list[str]:
    """Return the rows to measure. Raises Stop for the row avro without a registry."""
    if "avro" in options.rows and not options.registry:
        raise Stop("the row avro needs the URL of a schema registry: --registry http://localhost:8081")
    every = [name for name in NAMES if name != "avro" or options.registry]
    return [name for name in every if not options.rows or name in options.rows]


def _fill(report: Report, wanted: Sequence[str], rows: Callable[[Runner], Rows]) -> None:
    """Measure the rows, and say on stderr what is measured now."""
    console = log.console(stderr=True)
    compile_first(console)  # else its time would be measured
    with progress.bars(console) as bars:
        bar = bars.add_task("starting", total=len(wanted))
        now = ""

        def tell(contestant: str) -> None:
            bars.update(bar, description=f"{now}: {contestant}")
            if not console.is_terminal:
                console.print(f"{now}: {contestant} …")

        runner = Runner(tell)
        every = rows(runner).all()
        for now in wanted:
            try:
                report.rows += every[now]()
            except ContestantFailed as failure:
                report.failed.append(Failed(now, failure.contestant, str(failure)))
            bars.advance(bar)
        report.contestants = runner.ran
