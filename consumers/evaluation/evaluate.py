"""Run all arms, two processes at a time, with a progress bar, and make the report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from consumers.config.schema import Settings
from consumers.datasets.history import warn_of_no_text, warn_of_repeats
from consumers.datasets.scan import Scan
from consumers.datasets.understanding import confirm, show_understanding
from consumers.encoding.open_encoder import opened_for_command
from consumers.errors import BUG
from consumers.evaluation.dataset import Data, EvaluatedFiles, Job, data_of, scan_evaluated
from consumers.evaluation.encode import encode
from consumers.evaluation.metrics import TargetEvents, all_figures
from consumers.evaluation.options import EvaluateOptions
from consumers.evaluation.plot import check_plot
from consumers.evaluation.predictions import SHARD_ARMS, ArmOutcome
from consumers.evaluation.report.predictions_file import write_predictions
from consumers.evaluation.report.stream_plot import write_plot
from consumers.evaluation.report.tables import print_report
from consumers.evaluation.report.verdict import transfer_figures
from consumers.evaluation.workers import Steps, Tell, run_all
from consumers.terminal import log, progress
from consumers.terminal.compiling import compile_first
from consumers.terminal.plain_text import plain


class Run(NamedTuple):
    """One pass over the events in a worker: an arm (or several that share it) and a seed."""

    arm: str
    seed: int


def run_evaluation(
    options: EvaluateOptions, settings: Settings, console: Console | None = None
) -> tuple[int, dict[str, Any]]:
    """Say how the files are understood, evaluate, print the tables, write the requested files.

    Return (exit code, report). The code is 1 if a file was not read to its end, or if the answer was no. Raises Stop.
    """
    console = console or log.console()
    begun, now = time.monotonic(), int(time.time() * 1000)
    opened_for_command(settings.text_encoder)  # a wrong model stops here, and so does a wrong plot
    check_plot(options.plot)
    files = EvaluatedFiles(options.interactions, options.items, options.target, options.reading, now)
    with progress.bars(console) as bars:
        task = bars.add_task("reading", total=None, unit=progress.BYTES)
        scans, check = scan_evaluated(
            files, settings, lambda done, size: bars.update(task, completed=done, total=size)
        )
    data = data_of(scans, options.target, settings)
    understood = console if options.dry_run else log.console(stderr=True)
    for line in _if_one_domain(data, scans[0]):
        understood.print(plain(line, "yellow"), soft_wrap=True)
    show_understanding(scans, check, understood)
    for line in _warnings(data, options):
        understood.print(plain(line, "yellow"), soft_wrap=True)
    code = BUG if any(found.cut is not None for found in scans) else 0
    del scans
    read = {"events": len(data.events), "bad_rows": data.bad_rows, "repeated": data.repeated}
    if options.dry_run:
        console.print("nothing was evaluated (--dry-run)")
        return code, read
    if not confirm(f"Evaluate on {len(data.events):,} events?", options.yes):
        console.print("nothing was evaluated")
        return BUG, read
    compile_first(log.console(stderr=True))
    outcomes = _run_arms(data, files, settings, options, console)
    target = TargetEvents(data)
    report = {
        "target": data.target,
        "events": len(target.user),
        "seconds": 0.0,
        **all_figures(data, target, outcomes),
        "transfer": transfer_figures(data, target, outcomes),
    }
    if options.predictions is not None:
        write_predictions(options.predictions, target, outcomes)
    if options.plot is not None:
        write_plot(options.plot, target, outcomes, data.target)
    report["seconds"] = round(time.monotonic() - begun, 1)
    print_report(report, console)
    return code, report


def _warnings(data: Data, options: EvaluateOptions) -> Iterator[str]:
    """Yield what people should know before anything is learned."""
    yield from warn_of_repeats(data.repeated)
    yield from warn_of_no_text(options.items, data.items)
    if lacking := data.unlisted():
        yield f"{lacking:,} target events are of items that --items lacks: learned, not ranked"
    for domain in data.without_part:
        part = "nothing is carried into it" if domain.name == data.target else "it is left out as a source"
        yield f'config {options.config} gives domain {domain.name} the role "{domain.role}", so {part}'
    if find_spec("implicit") is None:
        yield "no arm item_knn_batch, which needs implicit: pip install 'crosscurrent[evaluate]'"


def _if_one_domain(data: Data, events: Scan) -> Iterator[str]:
    """Yield what to do if all events are of the target."""
    if set(events.domains) <= {data.target}:
        yield f"all events are of {data.target}, so there is nothing to carry over: {_how_to_split(events)}"


def _how_to_split(events: Scan) -> str:
    """Say how a file of one domain becomes a file of several."""
    unused = events.table.unused
    if "domain" in events.table.columns or not unused:
        return "add the events of other domains to the file, with a column `domain`"
    return f"if a column tells where each event belongs, name it: --map domain=COLUMN, one of {', '.join(unused)}"


def _run_arms(
    data: Data, files: EvaluatedFiles, settings: Settings, options: EvaluateOptions, console: Console
) -> list[ArmOutcome]:
    """Run all arms in worker processes. Return their outcomes, for every seed."""
    runs = _plan(data, settings, options)
    with tempfile.TemporaryDirectory() as folder, progress.bars(console) as bars:
        vectors = Path(folder) / "vectors.npz"
        encode(data, settings.text_encoder, vectors, bars)
        job = Job(files, msgspec.json.encode(settings), vectors)
        names = [f"{r.arm} {r.seed if len(runs) > 6 else ''}" for r in runs]
        found = run_all(partial(_work, job, options), runs, names, Steps(len(data.events)), bars)
    has_text = data.has_text
    outcomes = [outcome for one in found for outcome in one if has_text or outcome.arm != "text"]
    return outcomes + _without_randomness(outcomes)


def _plan(data: Data, settings: Settings, options: EvaluateOptions) -> list[Run]:
    first = settings.learner.seed
    runs = []
    for seed in range(first, first + options.seeds):
        runs += [Run("full", seed), Run("target_only", seed), Run("network", seed)]
        runs += [Run(f"full_{strategy}", seed) for strategy in options.strategies]
        runs += [Run(arm, seed) for arm in SHARD_ARMS if options.shards > 1]
        if data.has_ratings:
            runs += [Run("river_biased_mf_target", seed), Run("river_biased_mf_all", seed)]
    if find_spec("implicit") is not None:
        runs.insert(1, Run("item_knn_batch", first))
    return runs


def _without_randomness(outcomes: list[ArmOutcome]) -> list[ArmOutcome]:
    """Return the outcomes of the other seeds for arms that ran once: they do not depend on the seed."""
    seeds = dict.fromkeys(o.seed for o in outcomes)
    ran = {(o.arm, o.seed) for o in outcomes}
    return [o.of_seed(seed) for o in outcomes for seed in seeds if (o.arm, seed) not in ran]


def _work(job: Job, options: EvaluateOptions, run: Run, tell: Tell) -> list[ArmOutcome]:
    """Run one pass in a worker process. Imports are here, so that the parent need not load everything."""
    from consumers.evaluation import baselines as peers  # noqa: PLC0415
    from consumers.evaluation import learner_arms as ours  # noqa: PLC0415
    from consumers.evaluation import network_arm as network_alone  # noqa: PLC0415
    from consumers.evaluation import sharded_arm as shards  # noqa: PLC0415

    data, settings, vectors = job.load()
    arms: dict[str, Callable[[], list[ArmOutcome]]] = {
        "network": lambda: network_alone.run_network(data, vectors, settings, run.seed, tell),
        "item_knn_batch": lambda: peers.run_item_knn(data, run.seed, tell),
        "river_biased_mf_target": lambda: peers.run_river(data, run.seed, False, tell),
        "river_biased_mf_all": lambda: peers.run_river(data, run.seed, True, tell),
    }
    if run.arm in SHARD_ARMS:
        lags = shards.lag_of(options.lag_seconds, options.lag_events), shards.NEVER
        many = (run.arm, options.shards, lags[SHARD_ARMS.index(run.arm)])
        return shards.run_shards(data, vectors, shards.with_seed(settings, run.seed), many, tell)
    if run.arm in arms:
        return arms[run.arm]()
    return ours.run_learner(data, vectors, settings, run.seed, run.arm, tell)
