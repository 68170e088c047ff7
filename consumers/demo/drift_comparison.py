"""Compare the target's error after the demo's drift, with the adaptation loop and without, on the same events."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.evaluation.scenarios.run import ScenarioPass, Trace, run_pass
from consumers.evaluation.scenarios.world import TARGET
from consumers.evaluation.workers import end_with_parent
from consumers.report.svg_chart import Chart, ChartLine, number
from consumers.simulator.world import World
from consumers.simulator.world_settings import WorldSettings
from consumers.terminal.plain_text import joined, plain
from models.assessment.prequential import RMSE, Prequential
from models.threads import use_one_thread

WINDOW_EVENTS = 100
"""Events of the target whose error is shown as one value."""
LESS_URGENT = 5
"""What is added to the niceness of the other pass: it gets a third of a core that others want all the time."""


class Kept(Prequential):
    """Prequential errors that also keep every squared error of the followed arm in the target."""

    def __init__(self) -> None:
        super().__init__()
        self.squares: list[float] = []

    def add(self, rows: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        super().add(rows, values)
        followed = rows == self.row(TARGET, RMSE, "followed")
        self.squares += values[followed & ~np.isnan(values)].tolist()


class Drifted(NamedTuple):
    """The target's error before the drift and after it, a window at a time."""

    before: float
    adapted: list[float]
    not_adapted: list[float]

    def chart(self) -> Chart:
        """Return a chart for the page: each window's error at its end."""
        ends = [WINDOW_EVENTS * (n + 1.0) for n in range(len(self.adapted))]
        lines = [
            ChartLine("with adaptation", list(zip(ends, self.adapted, strict=True)), 0),
            ChartLine("without", list(zip(ends, self.not_adapted, strict=False)), 1, dashed=True),
            ChartLine("before the drift", [(ends[0], self.before), (ends[-1], self.before)], 5, dashed=True),
        ]
        note = f"The same events learned with and without answers to drift, {WINDOW_EVENTS} at a time; lower is better."
        return Chart(f"{TARGET}: rating error by events after the drift", note, lines, number, number)

    def figures(self) -> dict[str, Any]:
        """Return the figures for the summary, errors rounded to 1e-4."""
        return {
            "error_before_drift": round(self.before, 4),
            "window_events": WINDOW_EVENTS,
            "error_after_drift": [round(x, 4) for x in self.adapted],
            "error_after_drift_without_adaptation": [round(x, 4) for x in self.not_adapted],
        }


class OtherPass:
    """Learns the world's events once more without adaptation, in a process of its own.

    It may run beside the stream, once that is slow: what the service has to do is more urgent.
    """

    def __init__(self, settings: Settings, world: WorldSettings) -> None:
        self._run = ScenarioPass(world, msgspec.json.encode(settings), adapt=False, ranked=False)
        self._result: Connection | None = None

    def begin(self) -> Connection:
        """Begin, if it has not begun. Return where the result comes."""
        if self._result is None:
            context = multiprocessing.get_context("spawn")
            self._result, there = context.Pipe(duplex=False)
            process = context.Process(target=_learn, args=(there, self._run), name="other-pass", daemon=True)
            resource_tracker.ensure_running()  # the process needs it, and its start would end the block below
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the demo alone
            process.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            there.close()
        return self._result

    def trace(self, console: Console) -> Trace:
        """Return what it found, once it has ended. Raises Stop if its process was killed."""
        result, what = self.begin(), "the same events once more, without adaptation …"
        if not console.is_terminal and not result.poll():
            console.print(what, style="dim")
        with console.status(what):
            try:
                found: Trace = result.recv()
            except EOFError:
                raise Stop("the process that learns without adaptation has ended; is memory short?") from None
        return found


def _learn(there: Connection, run: ScenarioPass) -> None:
    """Learn in a process of its own, which ends with the demo."""
    end_with_parent()
    os.nice(LESS_URGENT)
    use_one_thread()
    there.send(run_pass(run, lambda _: None))


def compare(kept: Kept, trace: Trace, world: WorldSettings) -> Drifted | None:
    """Compare with a pass without adaptation. Return None if the target never drifted, or has too few events."""
    drifts = World(world).drifts(TARGET)
    still = trace.losses.get((RMSE, "full"))
    if not drifts or still is None:
        return None
    shift = int(np.searchsorted(trace.position, World(world).index_of(drifts[0].at)))
    adapted = np.array(kept.squares[: len(still)])
    if min(len(adapted), len(still)) < shift + WINDOW_EVENTS or shift < WINDOW_EVENTS:
        return None
    before = float(np.sqrt(adapted[max(0, shift - 3 * WINDOW_EVENTS) : shift].mean()))
    return Drifted(before, _windows(adapted[shift:]), _windows(still[shift:]))


def _windows(squares: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    full = len(squares) // WINDOW_EVENTS
    return [float(x) for x in np.sqrt(squares[: full * WINDOW_EVENTS].reshape(full, WINDOW_EVENTS).mean(1))]


def show(found: Drifted, story: list[str], console: Console) -> None:
    """Print what the adaptation loop did, then the error after the drift, a bar for each window of events."""
    console.print(
        joined(
            "\n", ("What the drift did", "bold"), f" to the error in {TARGET} ({found.before:.3f} before it)"
        )
    )
    for line in story:
        console.print(plain(f"  {line}"))
    top = max(*found.adapted, *found.not_adapted)
    console.print(f"  {'events after it':>16}  {'with adaptation':24}  without", style="dim")
    for n, (one, other) in enumerate(zip(found.adapted, found.not_adapted, strict=False)):
        bars = (f"{x:.3f} {'█' * round(16 * max(0.0, x - 0.5) / (top - 0.5)):17}" for x in (one, other))
        console.print(
            f"  {n * WINDOW_EVENTS:>6} to {(n + 1) * WINDOW_EVENTS:>6}  {'  '.join(bars)}", highlight=False
        )
