"""`crosscurrent explain`: load the learners of the newest checkpoint, and print their explanation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.decode import FUTURE_LIMIT_MS
from consumers.service.saving.saved_state import check_owner
from consumers.sharing.folders import present_folder
from consumers.terminal import log
from consumers.terminal.plain_text import joined, plain
from models.arms.arm_comparison import ArmComparison
from models.arms.explanation import Explanation, explain
from models.settings import Arm
from models.state.checkpoint import CheckpointDirectory, UnusableError

MADE_BY: dict[Arm, str] = {
    "full": "the full learner",
    "target_only": "the learner that knows this domain alone",
    "text": "text affinity alone",
    "popularity": "popularity alone",
}


def load_arms(settings: Settings) -> ArmComparison:
    """Load all learners from the newest checkpoint; the directory is only read. Raises Stop."""
    path = present_folder(settings)
    try:
        state, _ = CheckpointDirectory(path, read_only=True).load()
    except (UnusableError, OSError) as error:
        raise Stop(f"checkpoint.directory {path}: {error}", STATE_UNUSABLE) from error
    if state is None:
        raise Stop(f"checkpoint.directory {path}: there is no checkpoint yet; crosscurrent run writes them")
    arms = ArmComparison(settings.domain_list(), settings.learning())
    try:
        check_owner(state, settings)
        arms.load(state["arms"])
    except (KeyError, ValueError, TypeError) as error:
        raise Stop(f"the checkpoint does not fit this config: {error}", STATE_UNUSABLE) from error
    arms.end_future(time.time() + FUTURE_LIMIT_MS / 1000)
    return arms


def run_explain(
    settings: Settings, user: str, item: str, domain: str, console: Console | None = None
) -> dict[str, Any]:
    """Print the explanation; return it as plain values. Raises Stop."""
    try:
        inside = settings.privacy.ids().inside(user)
        found = explain(load_arms(settings), inside, item, domain, settings.publish.top)
    except KeyError as error:
        raise Stop(str(error.args[0])) from error
    console = console or log.console()
    show_explanation(found, Asked(user, item, domain, settings.publish.top), console)
    for line in _in_experiments(settings, inside, domain):
        console.print(plain(line, "yellow"))
    return found._asdict() | {"past": [p._asdict() for p in found.past]}


def _in_experiments(settings: Settings, user: str, domain: str) -> Iterator[str]:
    """Yield a line if the user's list may be made in another way than the explanation says. user: id in the state."""
    for one in settings.live_experiments():
        if domain in one.domains:
            arm = one.arm(user, domain, int(time.time() * 1000)) if one.unit == "user" else "an arm by list"
            if arm is not None:
                yield f"experiment {one.name}: {arm}; what an arm overrides is not in this explanation"


class Asked(NamedTuple):
    """Which item of which list is explained. top: the length of lists."""

    user: str
    item: str
    domain: str
    top: int


def show_explanation(found: Explanation, asked: Asked, console: Console) -> None:
    """Print an explanation: place on the list, parts of the score, past items that matter."""
    user, domain = asked.user, asked.domain
    console.print(
        joined(
            (found.title or asked.item, "bold"),
            f" ({asked.item}, {domain}) for ",
            (user, "bold"),
            f": {_place(found, asked.top)}, by the newest checkpoint",
        )
    )
    if not found.known:
        console.print(plain(f"no user {user} is known: this is what a new one gets", "yellow"))
    console.print(
        f"{'their' if found.known else 'such a'} list is made by {MADE_BY[found.arm]}", highlight=False
    )
    console.print(_parts(f"score {found.score:.3f}", found.why))
    console.print(_parts(f"expected rating {found.rating:.3f}", found.rating_parts))
    if found.past:
        table = Table("domain", "item", "title", "had together", "text alike", title="past items", box=None)
        for past in found.past:
            cells = (past.domain, past.item_id, past.title, f"{past.together:.2f}", f"{past.similarity:.2f}")
            table.add_row(*map(plain, cells))
        console.print(table)
    console.print(_parts(f"bias terms of {domain}", found.domain_terms))


def _place(found: Explanation, top: int) -> str:
    whose, whom = ("their list", "them") if found.known else ("the list of a new user", "such a user")
    if found.rank is None:
        return f"not for {whom}: {found.why_not}"
    number = f"number {found.rank + 1}"
    return (
        f"{number} on {whose}"
        if found.listed
        else f"not on {whose}, which has {top} items; {number} for {whom}"
    )


def _parts(title: str, parts: dict[str, float]) -> Table:
    table = Table("part", "adds", title=title, box=None)
    for name, value in sorted(parts.items(), key=lambda part: -abs(part[1])):
        if abs(value) >= 0.0005:
            table.add_row(plain(name), f"{value:+.3f}")
    return table
