"""Runs all arms, two processes at a time, with a progress bar, and puts the report together."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from consumers import log
from consumers.config import Settings
from consumers.errors import Stop
from consumers.evaluation.data import Data, Job, load_data
from consumers.evaluation.figures import Target, all_figures
from consumers.evaluation.outcome import Outcome
from consumers.evaluation.report import print_report, write_plot, write_predictions
from models.text_encoder import TextEncoder, load_encoder

WORKERS = 2
ENCODE_CHUNK = 256


class Options(NamedTuple):
    """What `crosscurrent evaluate` was asked for."""

    interactions: Path
    items: Path
    target: str
    rating_range: tuple[float, float] | None = None
    predictions: Path | None = None
    plot: Path | None = None
    seeds: int = 1


class Run(NamedTuple):
    """One pass over the events in a worker: an arm (or several that share it) and a seed."""

    arm: str
    seed: int


def run_evaluation(options: Options, settings: Settings, console: Console | None = None) -> dict[str, Any]:
    """Evaluates, prints the tables, writes what was asked for; gives the report. Raises Stop."""
    console = console or log.console()
    begun = time.monotonic()
    data = load_data(options.interactions, options.items, options.target, settings, options.rating_range)
    if data.bad_rows:
        console.print(f"{data.bad_rows:,} bad rows left out", style="yellow")
    try:
        encoder = load_encoder(settings.text_encoder.model)
    except ValueError as error:
        raise Stop(str(error)) from error
    with tempfile.TemporaryDirectory() as folder, _bars(console) as bars:
        vectors = Path(folder) / "vectors.npz"
        _encode(data, encoder, vectors, bars)
        del encoder
        job = Job(
            options.interactions, options.items, options.target, options.rating_range,
            msgspec.json.encode(settings), vectors,
        )  # fmt: skip
        outcomes = _run_all(job, _plan(data, settings, options.seeds), len(data.events), bars)
    outcomes += _without_randomness(outcomes)
    target = Target(data)
    report = {
        "target": data.target,
        "events": len(target.user),
        "seconds": 0.0,
        **all_figures(data, target, outcomes),
    }
    if options.predictions is not None:
        write_predictions(options.predictions, target, outcomes)
    if options.plot is not None:
        write_plot(options.plot, target, outcomes)
    report["seconds"] = round(time.monotonic() - begun, 1)
    print_report(report, console)
    return report


def _plan(data: Data, settings: Settings, seeds: int) -> list[Run]:
    first = settings.learner.seed
    runs = []
    for seed in range(first, first + seeds):
        runs += [Run("full", seed), Run("target_only", seed), Run("network", seed)]
        if data.has_ratings:
            runs += [Run("river_biased_mf_target", seed), Run("river_biased_mf_all", seed)]
    runs.insert(1, Run("item_knn_batch", first))
    return runs


def _without_randomness(outcomes: list[Outcome]) -> list[Outcome]:
    """For arms that ran once the other seeds' outcomes, which are the same."""
    seeds = dict.fromkeys(o.seed for o in outcomes)
    ran = {(o.arm, o.seed) for o in outcomes}
    return [o.of_seed(seed) for o in outcomes for seed in seeds if (o.arm, seed) not in ran]


def _bars(console: Console) -> Progress:
    columns = (TextColumn("{task.description:24}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _encode(data: Data, encoder: TextEncoder, path: Path, bars: Progress) -> None:
    """Raw vectors of all items with text, by position, into a file that every worker reads."""
    texts = [(n, item.words()) for n, item in enumerate(data.items) if item.words().strip()]
    texts.sort(key=lambda pair: len(pair[1]))  # equal lengths together: less padding, less time
    task = bars.add_task("encoding item text", total=len(texts))
    parts = []
    for start in range(0, len(texts), ENCODE_CHUNK):
        chunk = texts[start : start + ENCODE_CHUNK]
        parts.append(encoder.encode([text for _, text in chunk]).astype(np.float32))
        bars.advance(task, len(chunk))
    raw = np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)
    positions = np.array([n for n, _ in texts], np.int64)
    order = np.argsort(positions)
    np.savez(path, positions=positions[order], raw=raw[order])


def _run_all(job: Job, runs: list[Run], events: int, bars: Progress) -> list[Outcome]:
    # spawn: a forked child would inherit torch's and BLAS's thread pools in an unusable state
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        counters = manager.dict()
        with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
            futures = [pool.submit(_work, job, run, counters) for run in runs]
            tasks = [bars.add_task(f"{r.arm} {r.seed if len(runs) > 6 else ''}", total=events) for r in runs]
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.5)
                for task, run, future in zip(tasks, runs, futures, strict=True):
                    bars.update(task, completed=events if future.done() else counters.get(tuple(run), 0))
                for future in done:
                    if error := future.exception():
                        raise error
            return [outcome for future in futures for outcome in future.result()]


def _work(job: Job, run: Run, counters: Any) -> list[Outcome]:
    """In a worker process: imports are here so that the parent need not hold them all."""
    from consumers.evaluation import network_alone, ours, peers  # noqa: PLC0415
    from models.threads import use_one_thread  # noqa: PLC0415

    use_one_thread()
    data, settings, vectors = job.load()

    def progress(done: int) -> None:
        counters[tuple(run)] = done

    arms: dict[str, Callable[[], list[Outcome]]] = {
        "full": lambda: ours.run_learner(data, vectors, settings, run.seed, False, progress),
        "target_only": lambda: ours.run_learner(data, vectors, settings, run.seed, True, progress),
        "network": lambda: network_alone.run_network(data, vectors, settings, run.seed, progress),
        "item_knn_batch": lambda: peers.run_item_knn(data, run.seed, progress),
        "river_biased_mf_target": lambda: peers.run_river(data, run.seed, False, progress),
        "river_biased_mf_all": lambda: peers.run_river(data, run.seed, True, progress),
    }
    return arms[run.arm]()
