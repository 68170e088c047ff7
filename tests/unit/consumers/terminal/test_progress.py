"""Without a terminal a long command says from time to time how far it is."""

from __future__ import annotations

import io
import time

from rich.progress import Progress

from consumers.terminal.log import console
from consumers.terminal.progress import BYTES, Lines, bars, line_of


def line(shown: Progress, seconds: float) -> str:
    """Return the line that is written so long after the first task began."""
    begun = shown.tasks[0].start_time
    assert begun is not None
    return line_of(shown.tasks, begun + seconds)


def test_one_task_says_what_is_done_and_how_long_the_rest_takes() -> None:
    shown = Lines()
    task = shown.add_task("learning", total=400, unit="events")
    assert line(shown, 10) == "learning: 0 of 400 events after 10 s"
    shown.update(task, completed=100)
    assert line(shown, 60) == "learning: 100 of 400 events after 60 s, about 3 min left"
    shown.update(task, completed=400)
    assert line(shown, 90) == ""


def test_tasks_that_begin_together_are_told_together() -> None:
    """Steps of all count. Those that run are named, with their stage; those that wait or are done are not."""
    shown = Lines()
    group = ("mute 0", "mute 1", "text 0")
    tasks = [shown.add_task(name, total=1000, unit="lists", group=group) for name in group]
    shown.update(tasks[0], completed=1000)
    shown.update(tasks[1], completed=500, stage="greedy")
    said = line(shown, 30)
    assert said == "1,500 of 3,000 lists after 30 s, about 30 s left: mute 1 greedy 500"


def test_the_latest_of_several_tasks_is_told() -> None:
    """A task that never ends, because nobody knows its size, does not hide the next."""
    shown = Lines()
    task = shown.add_task("reading", total=None, unit="lists")
    shown.update(task, completed=2000)
    assert line(shown, 20) == "reading: 2,000 lists after 20 s"
    shown.add_task("drawing", total=3000, unit="lists")
    assert line(shown, 20).startswith("drawing: 0 of 3,000 lists")


def test_files_are_told_in_megabytes() -> None:
    shown = Lines()
    shown.update(shown.add_task("reading", total=12_000_000, unit=BYTES), completed=3_000_000)
    assert line(shown, 300) == "reading: 3.0 of 12.0 MB after 5 min, about 15 min left"


def test_lines_come_while_the_work_goes_on() -> None:
    """They end with the work."""
    file = io.StringIO()
    with Lines(0.01, file) as shown:
        shown.add_task("learning", total=4, unit="events")
        while file.getvalue().count("\n") < 2:
            time.sleep(0.01)
    count = file.getvalue().count("\n")
    assert file.getvalue().startswith("learning: 0 of 4 events after 0 s\n")
    assert file.getvalue().count("\n") == count


def test_without_a_terminal_there_are_lines() -> None:
    assert isinstance(bars(console()), Lines)
