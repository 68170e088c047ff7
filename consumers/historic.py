"""Historic files for `pretrain`: the complete events of the config's domains in time order, and the items.

A row of the interaction file is used, dropped (a value is missing or breaks the contract), repeated (its event_id
came before) or skipped (its domain is not in the config); the four counts add up to the rows.

A missing rating: `replay` takes a row without one for a click. Here that holds only where nothing else can be
meant: in a domain without any rating, in a file without a rating column, or in one whose `type` column says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from consumers.config import Settings
from consumers.decode import Decoder
from consumers.dedup import DedupWindow
from consumers.errors import Stop
from consumers.evaluation.data import open_tables
from consumers.rejection import Rejection
from consumers.source import Record
from consumers.tables import BadRow, Table
from models.interaction import Interaction, Item

SHOW_BAD = 5
NO_RATING = "no_rating"
UNREADABLE = "bad_row"

Progress = Callable[[int, int], None]
"""Called now and then with (bytes read, bytes in all)."""


class Historic(NamedTuple):
    """`events`: time order, complete, each event_id once. The counts by reason or by domain."""

    events: list[Interaction]
    items: list[Item]
    dropped: Counter[str]
    dropped_items: Counter[str]
    skipped: Counter[str]
    repeated: int
    bad: list[BadRow]
    """The first unreadable rows."""


def read_historic(
    interactions: Path,
    items: Path,
    settings: Settings,
    domain: str | None = None,
    progress: Progress = lambda _done, _size: None,
) -> Historic:
    """Reads both files; with `domain`, all rows are of it, or only its rows count. Raises Stop, with what to do."""
    table, item_table = open_tables(interactions, items, domain)
    dropped, dropped_items, skipped = Counter[str](), Counter[str](), Counter[str]()
    bad: list[BadRow] = []
    size = table.size + item_table.size
    decoded = _decoded(item_table, settings, dropped_items, Counter(), bad)
    catalogue: list[Item] = []
    for n, one in enumerate(decoded):
        assert isinstance(one, Item)
        catalogue.append(one)
        if n % 1000 == 0:
            progress(item_table.position, size)
    events: list[Interaction] = []
    for n, event in enumerate(_decoded(table, settings, dropped, skipped, bad)):
        assert isinstance(event, Interaction)
        events.append(event)
        if n % 1000 == 0:
            progress(item_table.size + table.position, size)
    skipped += table.skipped
    if "rating" in table.columns and "type" not in table.columns:
        events = _without_missing_ratings(events, dropped)
    if not events:
        held = f"; it has {', '.join(sorted(skipped))}" if skipped else ""
        raise Stop(
            f"--interactions {interactions}: no usable event of a domain of the config "
            f"({', '.join(settings.domains)}){held}; {dropped.total():,} rows dropped {_reasons(dropped, bad)}".rstrip()
            + (". Its ratings need another rating_range in [domains.…]" if dropped["out_of_range"] else "")
        )
    events.sort(key=lambda e: e.timestamp)
    window = DedupWindow(settings.intake.dedup_events)
    unique = [e for e in events if not window.repeated(e.domain, e.event_id)]
    return Historic(unique, catalogue, dropped, dropped_items, skipped, len(events) - len(unique), bad)


def _decoded(
    table: Table, settings: Settings, dropped: Counter[str], skipped: Counter[str], bad: list[BadRow]
) -> Iterator[Interaction | Item]:
    """What `run` would make of each row, by the limits of the config."""
    decoder = Decoder(
        settings.topics(), settings.domain_list(), settings.intake.max_record_bytes, settings.privacy.ids()
    )

    def on_bad(row: BadRow) -> None:
        dropped[UNREADABLE] += 1
        if len(bad) < SHOW_BAD:
            bad.append(row)

    for row in table.records(on_bad):
        config = settings.domains.get(row.domain)
        if config is None:
            skipped[row.domain] += 1
            continue
        topic = config.interactions_topic if row.kind == "interactions" else config.items_topic
        got = decoder.decode(Record(topic, 0, 0, -1, row.key, row.value))
        if isinstance(got, Rejection):
            dropped[got.reason] += 1
        elif isinstance(got, Interaction | Item):
            yield got


def _without_missing_ratings(events: list[Interaction], dropped: Counter[str]) -> list[Interaction]:
    rated = {e.domain for e in events if e.value is not None}
    kept = [e for e in events if e.value is not None or e.domain not in rated]
    if len(kept) < len(events):
        dropped[NO_RATING] += len(events) - len(kept)
    return kept


def warnings(historic: Historic) -> Iterator[str]:
    """What was left out, a line each, for people."""
    if historic.dropped:
        yield f"{historic.dropped.total():,} rows dropped {_reasons(historic.dropped, historic.bad)}"
    if historic.dropped[NO_RATING]:
        yield "  (rows without a rating that are clicks need a column `type` that says click)"
    if historic.dropped_items:
        yield f"{historic.dropped_items.total():,} item rows dropped {_reasons(historic.dropped_items, historic.bad)}"
    if historic.repeated:
        yield f"{historic.repeated:,} events left out: their event_id came before"
    if historic.skipped:
        names = ", ".join(f"{name} ({count:,})" for name, count in sorted(historic.skipped.items()))
        yield f"{historic.skipped.total():,} events skipped of domains that are not used: {names}"


def _reasons(dropped: Counter[str], bad: list[BadRow]) -> str:
    if not dropped:
        return ""
    listed = ", ".join(f"{reason} {count:,}" for reason, count in dropped.most_common())
    examples = "; ".join(map(str, bad)) if dropped[UNREADABLE] else ""
    return f"({listed}{'; such as ' if examples else ''}{examples})"


def first_held_out(events: list[Interaction], share: float) -> int:
    """Where the last `share` of the events in time order begins; events of one time are never torn apart.

    Raises Stop where nothing would be left to learn.
    """
    if share <= 0.0:
        return len(events)
    at = min(len(events) - 1, len(events) - round(share * len(events)))
    first = bisect_left(events, events[at].timestamp, key=lambda e: e.timestamp)
    if first == 0:
        raise Stop(
            f"--holdout {share}: the {len(events):,} events are too few, or too many have the same time, to hold "
            "some out and learn from earlier ones. --holdout 0 learns them all and measures nothing."
        )
    return first
