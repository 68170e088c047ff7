"""Say that the numeric code is being compiled: else a command would seem to hang at its first start."""

from __future__ import annotations

from rich.console import Console

from consumers.terminal.progress import bars
from models.warm_up import is_warm, warm

WHY = "compiling the numeric code for this processor, once; this takes about a minute"
WAITING = "another process compiles it; waiting"


def compile_first(console: Console) -> None:
    """Compile what is not compiled yet, with a line and a bar on the console. Say nothing if all is compiled."""
    if is_warm():
        return
    console.print(f"{WHY} …", style="dim")
    with bars(console) as shown:
        task = shown.add_task("compiling", total=None, unit="kernels")

        def tell(ready: int, count: int) -> None:
            if not count and shown.tasks[task].description != WAITING:
                console.print(f"{WAITING} …", style="dim")
            what = "compiling" if count else WAITING
            shown.update(task, completed=ready, total=count or None, description=what)

        warm(tell)
