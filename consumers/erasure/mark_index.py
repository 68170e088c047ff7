"""Which users a request to forget means: the marks of all ids in the state, kept as the ids come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.arm_comparison import Arms
from models.state.tracked_tables import Live

Mark = Callable[[str], str]
"""A user id, as it is learned under, to the hash that stands for it (`serving.pseudonyms`)."""


def number(mark: str) -> int:
    """The first 8 bytes of a mark, of any text."""
    return int.from_bytes(mark.encode(errors="surrogatepass")[:8], "little", signed=True)


class MarkIndex(Live):
    """Marks by row of every arm's user table; `users` finds ids by marks, without hashing every id.

    A new user costs one hash, a request one pass over 8 bytes a row. The marks are in the state: hashing a million ids
    at a start would take seconds.
    """

    def __init__(self, mark: Mark, arms: Arms) -> None:
        self._mark, self._arms = mark, arms
        self._index({})

    def _number(self, user: str) -> int:
        return number(self._mark(user))

    def _index(self, known: dict[str, Any]) -> None:
        for arm, table in self._arms.user_tables().items():
            table.index_by(self._number, known.get(arm))

    def users(self, marks: set[str], others: Iterable[str] = ()) -> set[str]:
        """The ids with one of these marks: of all users with a row, of those without one in the arms, of `others`."""
        numbers = {number(mark) for mark in marks}
        found = {user for table in self._arms.user_tables().values() for user in table.numbered(numbers)}
        return {user for user in found.union(self._arms.rowless_users(), others) if self._mark(user) in marks}

    def live(self) -> dict[str, Any]:
        return {arm: table.live_numbers() for arm, table in self._arms.user_tables().items()}

    def load(self, state: dict[str, Any]) -> None:
        """For the ids that the arms have just loaded. What is not in the state is computed."""
        self._index(state)
