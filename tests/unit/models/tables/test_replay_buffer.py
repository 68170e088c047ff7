"""The replay buffer is bounded, keeps the latest events, and is deterministic."""

import numpy as np
import pytest

from models.tables.replay_buffer import Events, Frequency, ReplayBuffer, age, used

LENGTH = 3


def events(first: int, n: int) -> Events:
    index = np.arange(first, first + n)
    return Events(
        domain=index % 2,
        user=index,
        item=index * 10,
        residual=np.where(index % 2, np.nan, index).astype(np.float32),
        time=index.astype(np.float64),
        recent=np.repeat(index, LENGTH * 3).reshape(n, LENGTH, 3).astype(np.float64),
    )


def same(a: Events, b: Events) -> None:
    for name, left, right in zip(Events._fields, a, b, strict=True):
        np.testing.assert_array_equal(left, right, name)


def test_an_empty_buffer_gives_nothing() -> None:
    buffer = ReplayBuffer(10, LENGTH, 2)
    assert len(buffer) == 0
    assert len(buffer.sample(5, np.random.default_rng(0)).user) == 0


def test_keeps_the_latest_events() -> None:
    """After 7 + 7 events a ring of 10 holds users 4 … 13, with their rows intact."""
    buffer = ReplayBuffer(10, LENGTH, 2)
    buffer.add(events(0, 7))
    buffer.add(events(7, 7))
    assert len(buffer) == 10
    drawn = buffer.sample(2000, np.random.default_rng(0))
    assert set(drawn.user) == set(range(4, 14))
    np.testing.assert_array_equal(drawn.item, drawn.user * 10)
    np.testing.assert_array_equal(drawn.recent[:, 1, 2], drawn.user)


def test_a_batch_above_capacity_keeps_its_end() -> None:
    buffer = ReplayBuffer(4, LENGTH, 2)
    buffer.add(events(0, 11))
    assert set(buffer.sample(200, np.random.default_rng(0)).user) == {7, 8, 9, 10}


def test_memory_is_bounded() -> None:
    """A ten times longer stream needs no more room."""
    sizes = []
    for batches in (10, 100):
        buffer = ReplayBuffer(50, LENGTH, 2)
        for b in range(batches):
            buffer.add(events(7 * b, 7))
        sizes.append(sum(v.nbytes for v in buffer.state()["events"].values()))
    assert sizes[0] == sizes[1]


def test_what_is_forgotten_is_not_replayed() -> None:
    """The events of a reused row go, also as recent items of other users; later events stay."""
    buffer = ReplayBuffer(20, LENGTH, 2)
    first = events(0, 6)
    first.recent[:, :, 0], first.recent[:, :, 1] = 1, 30  # all users had item 30 of domain 1
    buffer.add(first)
    buffer.forget_user(2)
    buffer.forget_item(1, 30)
    buffer.forget_item(0, 40)
    drawn = buffer.sample(500, np.random.default_rng(0))
    assert set(drawn.user) == {0, 1, 5}  # 3 had item 30 of domain 1, 4 item 40 of domain 0
    assert (drawn.recent[:, :, 0] == -1).all()
    buffer.add(first)
    assert set(buffer.sample(500, np.random.default_rng(0)).user) == set(range(6))


@pytest.mark.parametrize("seed", range(5))
def test_whoever_is_forgotten_leaves_nothing(seed: int) -> None:
    """The plain model agrees through reused rows, replaced events, large batches and restarts."""
    rng = np.random.default_rng(seed)
    buffer = ReplayBuffer(16, LENGTH, 2)
    for step in range(300):
        n = int(rng.integers(1, 24))
        buffer.add(events(step, n)._replace(user=rng.integers(0, 12, n)))
        for row in rng.integers(0, 14, 3).tolist():
            buffer.forget_user(row)
            left = buffer._events.user == row
            assert not buffer._events.time[left].any()
            assert (buffer._events.recent[left] == -1).all()
            assert row not in buffer.sample(64, np.random.default_rng(0)).user
        if step % 7 == 0:
            again = ReplayBuffer(16, LENGTH, 2)
            again.load(buffer.state())
            buffer = again


def test_state_round_trips() -> None:
    """A loaded buffer draws the same samples and replaces the same slots."""
    buffer, copy = ReplayBuffer(10, LENGTH, 2), ReplayBuffer(10, LENGTH, 2)
    buffer.add(events(0, 13))
    buffer.forget_user(8)
    copy.load(buffer.state())
    for b in (buffer, copy):
        b.add(events(13, 4))
    same(buffer.sample(50, np.random.default_rng(3)), copy.sample(50, np.random.default_rng(3)))


def test_ages_count_from_the_newest() -> None:
    """Two of three places are taken; the second is a day and a half before the newest."""
    places = np.array([[[1.0, 8, 129_600], [0, 7, 0], [-1, -1, -1]]])
    assert used(places).tolist() == [[True, True, False]]
    assert age(places).tolist() == [[0.0, 1.5, 0.0]]


def test_what_a_user_had_is_no_candidate() -> None:
    """Pool 5, 7, 9: the user had 5 and 9 in domain 0; 9 is what they chose, and 7 they had elsewhere."""
    happened = events(0, 1)
    happened.recent[0] = [[0, 5, 0], [0, 9, 0], [1, 7, 0]]
    assert happened.had(0, np.array([5, 7, 9]), np.array([2])).tolist() == [[True, False, False]]


def test_log_q_is_the_probability_to_be_in_the_sample() -> None:
    """Item 0 is 3 of 4 counts, item 1 one of 4; 2 positives and 4 draws from 8 others: expected 2·¾ + ½ and
    2·¼ + ½ times, so in the sample with probability 1 - e^-2 and 1 - e^-1."""
    frequency = Frequency(half_life=1e12)
    frequency.add(np.array([0, 0, 0, 1]))
    rows, log_q = frequency.pool(np.array([0, 1]), np.arange(8), 4, np.random.default_rng(0))
    assert set(rows) >= {0, 1}
    assert (np.diff(rows) > 0).all()
    assert np.exp(log_q[:2]) == pytest.approx([1 - np.exp(-2.0), 1 - np.exp(-1.0)], rel=1e-5)


def test_frequency_halves() -> None:
    """After one half-life of other events a count is half of what it was."""
    frequency = Frequency(half_life=4.0)
    frequency.add(np.array([2]))
    frequency.add(np.array([0, 0, 0, 0]))
    assert frequency.counts[2] == pytest.approx(0.5)
    frequency.forget(2)
    assert frequency.counts[2] == 0.0
    frequency.forget(10**6)
