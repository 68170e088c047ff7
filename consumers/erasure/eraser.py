"""Erase users who asked for it: from learners, publication queue and dedup window at once, then from the store.

Requests name users by a hash. An index of hashes finds those in the state at once. A scan in the background finds those
in the store's keys, and in keys on their way to it, which may outlive the row of an evicted user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from consumers.erasure.mark_index import Mark, MarkIndex
from consumers.erasure.requests import ErasureRequests
from consumers.events.decode import Forget
from consumers.events.deduplication import DedupWindow
from models.arms.arm_comparison import ArmComparison
from serving.publication.publication_queue import PublicationQueue
from serving.store.key_scan import UserKeyScan
from serving.store.publisher import Publisher

log = structlog.get_logger()

RETRY_SECONDS = 10.0
"""Seconds to wait after a scan that failed."""


class Forgetting:
    """Carries out the requests that `ErasureRequests` collects. One thread calls it."""

    def __init__(
        self,
        mark: Mark,
        arms: ArmComparison,
        queue: PublicationQueue,
        dedup: DedupWindow,
        publisher: Publisher | None,
        clock: Callable[[], float],
    ) -> None:
        self.forgotten = ErasureRequests(mark)
        self.index = MarkIndex(mark, arms)
        self.take: Callable[[Forget], None] = self.forgotten.take
        self.drops = self.forgotten.drops
        self._mark, self._arms, self._queue, self._dedup = mark, arms, queue, dedup
        self._publisher, self._clock = publisher, clock
        self._sweep: UserKeyScan | None = None
        self._awaited: set[str] = set()
        """Keys to delete that the store had not acknowledged at the last look."""
        self._searched: frozenset[str] = frozenset()
        self._not_before = 0.0

    @property
    def waiting(self) -> bool:
        return self.forgotten.waiting

    def erase(self) -> None:
        """Erase the users of all requests that wait."""
        users = self.index.users(self.forgotten.due(), self._queue.evicted_users())
        # Sorted: rows must become free in the same order when requests are read again after a crash.
        for user in sorted(users):
            self._delete(user, self._arms.forget_user(user))
        self._dedup.forget_users(users)
        log.info("users forgotten", users=len(users), requests=len(self.forgotten))

    def _delete(self, user: str, row: int | None, found: Iterable[str] = ()) -> None:
        self._awaited.update(self._queue.forget_user(user, row, found))

    def sweep_if_due(self) -> None:
        """Search the store for keys of forgotten users while there may be any. Call it often."""
        if self._publisher is None or not self.forgotten.unswept or self._clock() < self._not_before:
            return
        if self._sweep is None:
            # Writes on their way to the store must arrive first: a scan would miss them.
            self._awaited = self._publisher.unconfirmed_among(self._awaited) | (
                self._awaited & set(self._queue.forgotten_keys())
            )
            if self._awaited:
                return
            self.forgotten.unswept -= self._searched
            self._searched = frozenset()
            if self.forgotten.unswept:
                wanted = frozenset(self.forgotten.unswept)
                backlog = self._publisher.unconfirmed()
                self._sweep = UserKeyScan(
                    self._publisher.store, self._queue.keys, self._mark, wanted, backlog
                )
        elif self._sweep.done():
            self._swept(self._sweep)
            self._sweep = None

    def search_again(self) -> None:
        """Search for every user who was ever forgotten: the store has lost writes, perhaps deletions."""
        self.forgotten.unsweep()
        self._sweep, self._searched = None, frozenset()

    def _swept(self, sweep: UserKeyScan) -> None:
        if sweep.failure is not None:
            log.warning(
                "the store was not searched for keys of forgotten users; will try again", error=sweep.failure
            )
            self._not_before = self._clock() + RETRY_SECONDS
            return
        for user, keys in sweep.found.items():
            self._delete(user, None, keys)
        self._searched = sweep.wanted
