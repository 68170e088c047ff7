"""Read what Crosscurrent publishes. This package is installed as `crosscurrent`, and needs redis and msgspec only.

>>> from crosscurrent import Reader                                               # doctest: +SKIP
>>> with Reader("redis://localhost:6379/0") as reader:                            # doctest: +SKIP
...     reader.recommend("alice", "books", 10)

All of serving and consumers may import its parts, which define keys, lists and connections. It imports none of them.
"""

from .answers import Origin, RankedItem, Recommended, Similar, Status
from .async_reader import AsyncReader
from .errors import Refused, UnknownDomain, Unreachable
from .lists import ListedItem, RecommendationList
from .reader import Reader
from .reasons import reason

__all__ = [
    "AsyncReader",
    "ListedItem",
    "Origin",
    "RankedItem",
    "Reader",
    "RecommendationList",
    "Recommended",
    "Refused",
    "Similar",
    "Status",
    "UnknownDomain",
    "Unreachable",
    "reason",
]
