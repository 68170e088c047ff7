"""Events wait for the network in order, without those whose rows have new owners."""

from __future__ import annotations

import numpy as np

from models.learning.pending_batch import Pending, PendingBatch
from tests.support.learners.states import differences


def events(users: list[int]) -> Pending:
    """Return events of item 10 · user, in domain 0 for even users; odd users click."""
    user = np.array(users, np.int64)
    residual = np.where(user % 2, np.nan, user.astype(np.float64))
    return Pending(
        user % 2, user, 10 * user, residual, user + 0.5, np.full((len(user), 2, 3), user[:, None, None] * 1.0)
    )


def waiting() -> PendingBatch:
    batch = PendingBatch()
    batch.add(events([1, 2, 3]))
    batch.add(events([2, 4]))
    return batch


def users_of(batch: PendingBatch) -> list[int]:
    taken = batch.take()
    return [] if taken is None else taken.user.tolist()


def test_all_are_taken_at_once_in_their_order() -> None:
    batch = waiting()
    assert len(batch) == 5
    taken = batch.take()
    assert taken is not None
    assert taken.user.tolist() == [1, 2, 3, 2, 4]
    assert taken.recent[:, 0, 0].tolist() == [1, 2, 3, 2, 4]
    assert len(batch) == 0
    assert batch.take() is None


def test_rows_that_were_given_away_are_left_out() -> None:
    """Events of a reused row are dropped: a user's everywhere, an item's in its own domain."""
    batch = waiting()
    batch.drop_user(2)
    batch.drop_item(1, 40)
    assert len(batch) == 3
    batch.drop_item(0, 40)
    assert users_of(batch) == [1, 3]
    for user in (1, 2, 3, 4):
        batch = waiting()
        batch.drop_user(user)
        batch.drop_user(user)
        assert users_of(batch) == [one for one in [1, 2, 3, 2, 4] if one != user]


def test_a_batch_of_dropped_events_is_none() -> None:
    batch = PendingBatch()
    batch.add(events([1]))
    batch.drop_user(1)
    assert len(batch) == 0
    assert batch.take() is None
    assert batch.state() == {"slow": [], "slow_recent": None}


def test_no_time_lies_ahead() -> None:
    batch = waiting()
    batch.end_future(2.6)
    taken = batch.take()
    assert taken is not None
    assert taken.time.tolist() == [1.5, 2.5, 2.6, 2.5, 2.6]
    assert taken.recent[:, 0, 2].tolist() == [1, 2, 2.6, 2, 2.6]


def test_state_round_trips() -> None:
    """States round-trip, also without events; rows that are reused later are left out of a copy too."""
    for batch in (waiting(), PendingBatch()):
        copy = PendingBatch()
        copy.add(events([7]))
        copy.load(batch.state())
        assert differences(batch.state(), copy.state()) == []
        copy.drop_user(2)
        batch.drop_user(2)
        assert users_of(copy) == users_of(batch)
