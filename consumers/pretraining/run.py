"""Run `crosscurrent pretrain`: learn files into a checkpoint, and report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from consumers.config.schema import Settings
from consumers.datasets.history import (
    FileHistory,
    Files,
    holdout_start,
    read_history,
    warn_of_no_text,
    warnings,
)
from consumers.datasets.understanding import confirm, show_understanding
from consumers.encoding.open_encoder import opened_for_command
from consumers.errors import BUG, Stop
from consumers.pretraining.holdout import Figures
from consumers.pretraining.options import PretrainOptions
from consumers.pretraining.train import fit, put_items
from consumers.service.offline import offline_pipeline
from consumers.service.saving.checkpointer import Checkpointer
from consumers.terminal import log, progress
from consumers.terminal.compiling import compile_first
from consumers.terminal.plain_text import plain
from models.state.checkpoint import CheckpointDirectory
from models.threads import use_one_thread


def run_pretrain(
    options: PretrainOptions, settings: Settings, console: Console | None = None
) -> tuple[int, dict[str, Any]]:
    """Say how the files are understood, learn, measure, save, print. Return (exit code, report). Raises Stop.

    The code is 1 if a file was not read to its end, or if the answer was no.
    """
    console = console or log.console()
    begun = time.monotonic()
    if (
        not options.force
        and not options.dry_run
        and not CheckpointDirectory(options.out, read_only=True).empty
    ):
        raise Stop(
            f"--out {options.out}: there is a checkpoint already. Name another folder, or add --force."
        )
    configured = settings.text_encoder.model
    settings.text_encoder.model = options.encoder or configured
    encoder = opened_for_command(settings.text_encoder, options.out)
    use_one_thread()
    with progress.bars(console) as bars:
        history = _read(options, settings, bars)
    first = holdout_start(history.events, options.holdout)
    understood = console if options.dry_run else log.console(stderr=True)
    show_understanding(history.scans, history.check, understood)
    for line in (*warnings(history), *_unlisted(options, settings, history)):
        understood.print(plain(line, "yellow"), soft_wrap=True)
    code = BUG if history.cut else 0
    if options.dry_run:
        console.print("nothing was learned (--dry-run)")
        return code, _report(history, first, {}, None, time.monotonic() - begun)
    if not confirm(f"Learn {len(history.events):,} events into {options.out}?", options.yes):
        console.print("nothing was learned")
        return BUG, _report(history, first, {}, None, time.monotonic() - begun)
    compile_first(log.console(stderr=True))
    with progress.bars(console) as bars:
        checkpointer = Checkpointer(options.out, settings.checkpoint.interval_seconds, lambda *_: None)
        try:
            trainee = offline_pipeline(settings)
            put_items(trainee.arms, history.items, encoder, bars)
            figures = fit(trainee, history.events, first, options.final_fit, bars)
            trainee.queue.publish_again()
            folder = checkpointer.replace(trainee.live())
        finally:
            checkpointer.close()
    report = _report(history, first, figures, folder, time.monotonic() - begun)
    _show(report, options, configured, console)
    return code, report


def _read(options: PretrainOptions, settings: Settings, bars: Progress) -> FileHistory:
    task = bars.add_task("reading", total=None, unit=progress.BYTES)
    return read_history(
        Files(options.interactions, options.items, options.reading),
        settings,
        options.domain,
        lambda done, size: bars.update(task, completed=done, total=size),
        lambda line: log.console(stderr=True).print(plain(line, "yellow"), soft_wrap=True),
    )


def _unlisted(options: PretrainOptions, settings: Settings, history: FileHistory) -> Iterator[str]:
    """Yield what people should know if there is no item file, or one without text."""
    yield from warn_of_no_text(options.items, history.items)
    if options.items is not None:
        return
    for name, config in settings.domains.items():
        if config.catalogue == "required":
            yield f"domain {name} recommends only listed items: none, until `run` has read its item topic"


def _report(
    history: FileHistory, first: int, figures: dict[str, Figures], folder: Path | None, seconds: float
) -> dict[str, Any]:
    events, of_events = history.events, history.scans[0]
    return {
        "events": len(events),
        "held_out": len(events) - first,
        "dropped": of_events.bad_rows,
        "dropped_by_reason": dict(of_events.reasons),
        "dropped_items": sum(found.bad_rows for found in history.scans[1:]),
        "repeated": history.repeated,
        "skipped": dict(history.skipped),
        "seconds": round(seconds, 1),
        "domains": figures,
        "checkpoint": None if folder is None else str(folder),
    }


def _show(report: dict[str, Any], options: PretrainOptions, encoder: str, console: Console) -> None:
    console.print(
        f"{report['events']:,} events, the last {report['held_out']:,} held out, {report['seconds']:.0f} s",
        highlight=False,
    )
    if report["held_out"]:
        names = ("n", "rmse", "accuracy", "mse", "ndcg_loss", "ndcg@10", "recall@10", "coverage@10")
        table = Table("domain", *names, title="Held out, scored and not learned", box=None)
        for domain, figures in report["domains"].items():
            table.add_row(domain, *(_text(figures[name]) for name in names))
        console.print(table)
    kept = "all events" if options.final_fit or not report["held_out"] else "all but the held-out events"
    console.print(f"{report['checkpoint']} holds {kept}. Start from it with:", highlight=False)
    needed = f"CROSSCURRENT_CHECKPOINT__DIRECTORY={options.out}"
    if options.encoder not in (None, encoder):
        needed += f" CROSSCURRENT_TEXT_ENCODER__MODEL={options.encoder}"
    console.print(f"  {needed} crosscurrent run --config …", highlight=False)


def _text(value: float | int | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
