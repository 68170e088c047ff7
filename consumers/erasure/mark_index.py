"""Find the users of a request to forget, by an index of the marks of all ids in the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.arms.arm_comparison import ArmComparison
from models.state.tracked_tables import Checkpointed

Mark = Callable[[str], str]
"""Maps a user id, as it is learned, to the hash that stands for it (`serving.client.pseudonyms`)."""


def mark_number(mark: str) -> int:
    """Return the first 8 bytes of a mark as a number."""
    return int.from_bytes(mark.encode(errors="surrogatepass")[:8], "little", signed=True)


class MarkIndex(Checkpointed):
    """The marks of the rows of every arm's user table. `users` finds ids by marks without hashing every id.

    A new user costs one hash. A request costs one pass over 8 bytes a row. The marks are part of the state, because
    hashing a million ids at a start takes seconds.
    """

    def __init__(self, mark: Mark, arms: ArmComparison) -> None:
        self._mark, self._arms = mark, arms
        self._index({})

    def _mark_number(self, user: str) -> int:
        return mark_number(self._mark(user))

    def _index(self, known: dict[str, Any]) -> None:
        for arm, table in self._arms.user_tables().items():
            table.index_by(self._mark_number, known.get(arm))

    def users(self, marks: set[str], others: Iterable[str] = ()) -> set[str]:
        """Return the ids with one of these marks, among the users of the arms (with or without a row) and `others`."""
        numbers = {mark_number(mark) for mark in marks}
        found = {user for table in self._arms.user_tables().values() for user in table.numbered(numbers)}
        return {user for user in found.union(self._arms.rowless_users(), others) if self._mark(user) in marks}

    def live(self) -> dict[str, Any]:
        return {arm: table.live_numbers() for arm, table in self._arms.user_tables().items()}

    def load(self, state: dict[str, Any]) -> None:
        """Take the marks of the ids that the arms have just loaded. Missing ones are computed."""
        self._index(state)
