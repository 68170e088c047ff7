"""Say what the demo of several processes showed: what was lost, who waited, and that all copies agree."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from consumers.demo.shards.balance import Balance, Outage, Waits
from consumers.terminal.plain_text import joined, plain


class Told(NamedTuple):
    """Everything that the summary says.

    malformed, repeats: records that the feed sent beside the events. letters: dead letters, each once. first: events
    that came fast, and how many of them were learned a second. users: of the killed shard. kept: those of them, known
    at the kill, who had a list of their own in the store just before it, and while the shard was away. copies: events
    learned by process, own ones and those of others.
    """

    shards: int
    seconds: float
    balance: Balance
    malformed: int
    repeats: int
    letters: int
    first: tuple[int, float] | None
    outage: Outage
    users: int
    kept: tuple[int, int]
    waited: Waits
    others_waited: Waits
    copies: dict[str, int]

    @property
    def right(self) -> bool:
        """Whether every event counts once, with its user and in every copy, and every bad record is a dead letter."""
        agree = all(count == self.balance.sent for count in self.copies.values())
        return self.balance.exact and agree and self.letters == self.malformed


def figures(told: Told) -> dict[str, Any]:
    """Return the summary for `--json`."""
    outage, first = told.outage, told.first
    return {
        "shards": told.shards,
        "events_in": told.balance.sent + told.malformed + told.repeats,
        "learned": told.balance.once,
        "lost": told.balance.lost,
        "counted_twice": told.balance.twice,
        "duplicates": told.repeats,
        "malformed": told.malformed,
        "dead_letters": told.letters,
        "learned_by_copy": told.copies,
        "seconds": round(told.seconds, 2),
        "burst_events": first[0] if first else 0,
        "burst_events_per_second": round(first[1], 1) if first else None,
        "killed_shard": outage.shard,
        "killed_shard_back_after_seconds": round(outage.seconds, 2),
        "killed_shard_users": told.users,
        "killed_shard_lists_before": told.kept[0],
        "killed_shard_lists_meanwhile": told.kept[1],
        "killed_shard_waited": _rounded(told.waited),
        "other_shards_waited": _rounded(told.others_waited),
    }


def _rounded(waited: Waits) -> dict[str, Any]:
    return {
        "events": waited.events,
        "users": waited.users,
        "median_seconds": round(waited.median, 2),
        "longest_seconds": round(waited.longest, 2),
    }


def show(told: Told, console: Console) -> None:
    """Print the summary."""
    for line in lines(told):
        console.print(line)


def lines(told: Told) -> list[Text]:
    """Return the summary, a text for each line."""
    balance, outage = told.balance, told.outage
    said = [
        plain("\nWhat was lost", "bold"),
        joined(
            (f"{balance.sent:,}", "bold"),
            f" events sent in {told.seconds:.0f} s, {balance.once:,} learned, ",
            (
                f"{balance.lost:,} lost, {balance.twice:,} counted twice",
                "bold" if balance.exact else "bold red",
            ),
        ),
        plain("counted for each user in the store, against what the feed has sent"),
        plain(f"{told.repeats:,} repeats count no second time"),
        plain(f"{told.letters:,} of {told.malformed:,} malformed records are dead letters"),
        plain(_agreement(told)),
    ]
    if told.first is not None:
        said.append(plain(f"the first {told.first[0]:,} were learned at {told.first[1]:,.0f} a second"))
    said += [
        plain(f"\nWho waited, when shard {outage.shard} was killed", "bold"),
        plain(
            f"it was away for {outage.seconds:.1f} s; its new process took "
            f"{(outage.ready_ms - outage.started_ms) / 1000:.1f} s of them to be ready"
        ),
        plain(f"its {told.users:,} users: {_waited(told.waited)}"),
        plain(f"users of the other shards meanwhile: {_waited(told.others_waited)}"),
        plain(f"lists of its users: {told.kept[0]:,} before, {told.kept[1]:,} while it was away"),
    ]
    return said


def _agreement(told: Told) -> str:
    """Say whether every process has learned every event, and which has not."""
    wrong = {name: count for name, count in told.copies.items() if count != told.balance.sent}
    if not wrong:
        return f"each of the {len(told.copies)} processes has learned of all {told.balance.sent:,}, each once"
    told_of = ", ".join(f"{name} {count:,}" for name, count in wrong.items())
    return f"NOT all processes have learned of {told.balance.sent:,} events: {told_of}"


def _waited(waited: Waits) -> str:
    if not waited.events:
        return "no events"
    return (
        f"{waited.events:,} events of {waited.users:,} of them were readable after {waited.median:.1f} s (median), "
        f"{waited.longest:.1f} s at most"
    )
