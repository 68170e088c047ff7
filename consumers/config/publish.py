"""How results are published."""

from __future__ import annotations

import msgspec


class PublishConfig(msgspec.Struct, forbid_unknown_fields=True):
    """How results are published."""

    interval_ms: float = 50.0
    """Longest time between two rounds of publishing, in ms. Each micro-batch has its own round, as long as records
    are learned as soon as they come. While records are learned seconds late, rounds come up to a second apart."""
    top: int = 50
    """Items on a list."""
    explain_top: int = 10
    """How many of them carry `why`."""
    ttl_seconds: int = 604_800
    """Seconds after which a list expires. Lists of resident users are renewed before."""
    refresh_seconds: float = 86_400.0
    """Seconds in which the list of every resident user is made anew, also of one who does nothing. Within them
    every list is made anew, with new items as candidates; which lists take one is the ranker's choice. `ranker.explore`
    reserves places for new items. It costs up to 1.25 lists of each user and domain in this time."""
    similar: int = 20
    """Neighbours of an item in `cc:similar`; 0 for none."""
    similar_seconds: float = 60.0
    """Least seconds between two times when an item's neighbours are found."""
    lists_within_ms: float = 1000.0
    """Milliseconds after which the list of a user who did something is overdue. While records wait to be learned, lists
    get an eighth of the time that learning takes. Once a list is overdue, they get a quarter of it. If records are
    learned late, lists become overdue after the same delay, at most 30 seconds."""
    max_backlog: int = 200_000
    """Most values that wait for the store. With more, the service reads no events until the store catches up."""
    pool: bool = False
    """Whether a list that was drawn (`ranker.explore`) carries all its candidates and their scores, some 5 KB, which
    `evaluate --impressions` needs."""
