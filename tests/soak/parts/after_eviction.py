"""Check what scoring and an eviction leave behind."""

from __future__ import annotations

from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.rating.events import RatingParts
from models.schema import Interaction, Item
from models.state.snapshot import table_bytes
from models.text.encoder import HashingEncoder
from tests.soak.parts.endless_stream import START


def scoring_creates_nothing(arms: ArmComparison) -> bool:
    """Return whether scores and lists of unknown users and items leave all tables as they are."""

    def sizes() -> tuple[int, ...]:
        full = arms.full
        ids = [full.users, *(catalogue.ids for catalogue in full.catalogues)]
        return (table_bytes(arms.live()), len(full.rating.bias.cells.names()), *map(len, ids))

    before = sizes()
    for n in range(1000):
        event = Interaction("books", "rating", f"never-{n}", f"nothing-{n}", START, 3.0)
        arms.full.score(event)
        arms.recommend([f"never-{n}"], "books", 10)
    return sizes() == before


def rating_parts(full: Learner, event: Interaction) -> RatingParts:
    """Return the parts of the rating that is predicted for an event."""
    scored = full.score(event)
    return RatingParts(*scored.facts.parts[scored.n].tolist())


def evicted_user_returns(full: Learner, ids: int) -> bool:
    """Return whether an evicted user is scored as a new one, and gets a row and a count of 1 by one event."""
    item = next(iter(full.catalogues[1].ids))
    evicted = next(user for user in (f"u{n}" for n in range(ids)) if user not in full.users)
    events = [Interaction("books", "rating", user, item, START, 1.0) for user in (evicted, "never")]
    known, new = (rating_parts(full, event) for event in events)
    lists = full.recommend([evicted, None], "books", 10)
    as_new = known == new and lists[0] == lists[1] and len(lists[0]) == 10
    full.learn(events[:1])
    again = rating_parts(full, events[0])
    return as_new and evicted in full.users and full.events_of(evicted)["books"] == 1 and again != new


def evicted_item_returns(full: Learner) -> bool:
    """Return whether an evicted item has the rating part of its text at once, and none of its own."""
    catalogue = full.catalogues[1]
    gone = next(item for item in (f"b{n}" for n in range(10**9)) if item not in catalogue.ids)
    full.put_item(Item("books", gone, "dark sea star"))
    full.put_text_vectors({("books", gone): HashingEncoder().encode(["dark sea star"])[0]}, idle=True)
    parts = rating_parts(full, Interaction("books", "rating", "never", gone, START, 3.0))
    return parts.item == 0.0 and parts.text != 0.0
