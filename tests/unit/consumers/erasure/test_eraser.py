"""A forgotten user leaves no trace in any byte of the state, with every part on that holds ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from consumers.erasure.eraser import Forgetting
from consumers.events.record import Record
from models.state.snapshot import snapshot
from serving.client.pseudonyms import Pseudonyms
from tests.support.learners.states import decoded
from tests.support.service.erasure_world import MARK, START, USER, World, event, forget, settings
from tests.support.store.all_writes import all_writes


def test_no_byte_of_the_state_names_a_forgotten_user() -> None:
    """The id is in tables, names, challengers, queue and dedup window before the request, and in none after."""
    world = World()
    world.live()
    before = world.bytes()
    assert before.count(USER.encode()) > 4
    assert world.arms.loop is not None
    assert all(USER in c.users() for c in world.arms.loop.running.values())
    world.put(forget(MARK, START + 1000 * len(world.records)))
    world.run()
    after = world.bytes()
    assert USER.encode() not in after
    assert MARK.encode() in after
    assert b"v3" in after


def test_rows_of_a_forgotten_user_are_empty() -> None:
    """Of taste, slopes, recent items and replayed events only zeros stay."""
    world = World()
    world.live()
    learner = world.arms.full
    row = learner.users.get(USER)
    assert row is not None

    def replayed() -> dict[str, np.ndarray]:
        return {name: rows.values for name, rows in learner.network.buffer.live()["events"].items()}

    theirs = (replayed()["user"] == row).nonzero()[0]
    assert len(theirs)
    world.put(forget(MARK, START + 1000 * len(world.records)))
    world.run()
    for rating in (learner.rating, *learner.target_only.values()):
        taste = rating.taste.arrays
        assert not taste.steps[row]
        assert not taste.time[row]
        kept = rating.taste.state()["steps"]
        assert np.count_nonzero(taste.gain.any(1)) <= len(kept["move"])
        assert not rating.cells.arrays.user[row].any()
    choices = [*learner.ranker.choices, *learner.ranker.target_only.values()]
    assert not any(choice.users.of(row).any() for choice in choices)
    rings = learner.history.rings()
    assert not rings.events[row].any()
    assert np.count_nonzero(rings.time) == len(learner.history.state()["recent"]["time"])
    assert not any(learner.history.seen_rows(row, domain).any() for domain in learner.index.values())
    waiting = learner.pending.take()
    assert waiting is None or (waiting.user != row).all()
    events = replayed()
    assert not events["time"][theirs].any()
    assert not events["residual"][theirs].any()
    assert (events["recent"][theirs] == -1).all()
    on_lists = world.queue.live([])["on_lists"]
    assert not any(part.values[row : row + 1].any() for part in on_lists.values())


def test_earlier_events_are_dropped_and_counted_later_ones_learned() -> None:
    """Both the event's and the record's time count; in = learned + duplicates + dead letters + forgotten."""
    world = World()
    world.put(*(event(n) for n in range(5)))
    when = START + 1000 * 7
    world.put(forget(MARK, when))
    late = event(6, timestamp=START)
    ahead = event(7, timestamp=when + 100_000)  # its clock is ahead, its record is from before the request
    after = event(9, timestamp=when + 1)
    world.put(late, ahead, event(4), after, after, ("interactions.movies", USER, {"type": "click"}))
    world.run()
    totals = world.pipeline.totals
    assert totals["forgotten"] == 2
    assert totals["learned"] == 5 + 2  # event 4 comes again after the request, and nothing is known of its id
    assert totals["duplicates"] == 1
    assert totals["dead_letters"] == 1
    interactions = sum(r.topic != "forget" for r in world.records)
    assert interactions == sum(totals[k] for k in ("learned", "duplicates", "dead_letters", "forgotten"))
    metric = world.pipeline.metrics.registry.get_sample_value
    both = [metric("crosscurrent_forgotten_total", {"domain": d}) for d in ("movies", "books")]
    assert sum(x or 0 for x in both) == 2
    assert world.arms.full.events_of(USER) == {"movies": 1, "books": 1}


def test_requests_before_the_first_event() -> None:
    """When a log is read from its beginning, the request comes first, so no event of the user is learned."""
    world = World()
    world.put(forget(MARK, START + 1000 * 40), *(event(n) for n in range(20)), event(1, "other"))
    world.run()
    assert world.pipeline.totals["forgotten"] == 20
    assert USER.encode() not in world.bytes()
    assert "other" in world.arms.full.users


@pytest.mark.parametrize(
    "value", [b"{", b"{}", b'{"timestamp": 12}', b'{"timestamp": 1700000000000, "key": "x"}']
)
def test_a_request_that_cannot_be_used_is_a_dead_letter(value: bytes | None) -> None:
    """A request that is malformed, has no time or another key erases nothing, and its letter says why."""
    world = World()
    world.put(event(1))
    world.records.append(Record("forget", 0, 1, START, MARK.encode(), value))
    world.run()
    assert world.pipeline.totals["dead_letters"] == 1
    assert USER in world.arms.full.users


def test_a_request_that_is_read_twice_leaves_what_came_after_it() -> None:
    """A second reading of a request, or of an older one, erases nothing. A newer request counts."""
    world = World()
    older, newer = (forget(MARK, START + millis) for millis in (1500, 2500))
    world.put(event(1), older, newer, event(2), event(3), older, newer)
    world.run()
    assert world.arms.full.events_of(USER) == {"movies": 1, "books": 1}
    world.put(forget(MARK, START + 1000 * 9))
    world.run()
    assert USER not in world.arms.full.users


def test_a_request_that_somebody_deleted_may_have_been_missed() -> None:
    """A record without a value counts as a request of its time, unless one of the user was carried out."""
    world = World()
    world.put(event(1))
    world.records.append(Record("forget", 0, 1, START + 1500, MARK.encode(), None))
    world.put(event(2, timestamp=START + 1000), event(3), event(4))
    world.run()
    assert world.pipeline.totals["dead_letters"] == 0
    assert world.pipeline.totals["forgotten"] == 1
    assert world.arms.full.events_of(USER) == {"movies": 1, "books": 1}
    world.records.append(Record("forget", 0, len(world.records), START + 9000, MARK.encode(), None))
    world.run()
    assert world.arms.full.events_of(USER) == {"movies": 1, "books": 1}


def test_a_request_hashes_as_much_whatever_the_number_of_users() -> None:
    """A new user costs one hash, and a request a few; the ids of all users are never hashed."""
    hashed: list[str] = []

    def hashes(users: int) -> list[int]:
        """Return the hashes of the users' first events, and of each of twenty requests."""
        world = World(settings(learner={"users": 100, "items_per_domain": 40}))
        mark = world.pipeline.ids.mark
        world.pipeline.ids.mark = lambda user: hashed.append(user) or mark(user)  # type: ignore[func-returns-value,method-assign]
        world.pipeline.forgetting = Forgetting(
            world.pipeline.ids.mark, world.arms, world.queue, world.pipeline.dedup, None, lambda: 0.0
        )
        counts = []
        world.put(*(event(n, f"v{n % users}") for n in range(2 * users)))
        for n in range(21):
            hashed.clear()
            world.run()
            counts.append(len(hashed))
            world.put(forget(Pseudonyms().mark(f"v{n}"), START + 1000 * len(world.records)))
        assert len(world.arms.full.users) == users - 20
        return counts

    few, many = hashes(30), hashes(90)
    assert few[1:] == many[1:] == [few[1]] * 20
    assert many[0] == 3 * few[0]


def test_a_request_is_carried_out_whatever_table_its_user_is_in() -> None:
    """A user is found with a row, in a challenger alone, just evicted, or unknown; in a state from before there
    were marks in it, too."""
    world = World(settings(learner={"users": 12, "items_per_domain": 40}))
    world.live()
    world.put(*(event(2 * n, f"w{n}") for n in range(12)))
    world.run()
    state = state_of(world)
    assert set(state["marks"]) == {"full"}
    assert world.arms.loop is not None
    challenged = {u for c in world.arms.loop.running.values() for u in c.users()} - {*world.arms.full.users}
    assert challenged
    for before in (state, {key: value for key, value in state.items() if key != "marks"}):
        again = World(world.config)
        again.pipeline.load(before)
        gone = {*challenged, next(iter(world.arms.full.users)), "never-seen"}
        again.put(*(forget(Pseudonyms().mark(user), START) for user in sorted(gone)))
        again.run()
        tables = [set(table) for table in again.arms.user_tables().values()]
        assert not gone & again.arms.rowless_users().union(*tables)
        assert len(again.arms.full.users) == 11


def state_of(world: World) -> dict[str, Any]:
    return decoded(snapshot(world.pipeline.state()))


def test_pseudonyms_keep_raw_ids_out_of_state_and_keys() -> None:
    """With a key no state, no key and no event_id holds a raw id, and forgetting works on the pseudonym."""
    ids = Pseudonyms("a secret of the owner")
    world = World(settings(privacy={"key": "a secret of the owner"}))
    world.live = lambda: None  # type: ignore[method-assign]
    world.put(*(event(n) for n in range(20)))
    world.run()
    state = world.bytes()
    assert USER.encode() not in state
    assert ids.inside(USER).encode() in state
    keys = [write.key for write in all_writes(world.queue)]
    assert f"cc:user:{{{ids.inside(USER)}}}" in keys
    assert not any(USER in key for key in keys)
    assert world.pipeline.metrics.registry.get_sample_value("crosscurrent_key_mismatches_total") == 0
    topic, _, value = forget(ids.mark(ids.inside(USER)), START + 1000 * 30)
    world.put((topic, _, value | {"key": ids.fingerprint}))
    world.run()
    assert ids.inside(USER).encode() not in world.bytes()
    assert b"a secret" not in state + world.bytes()


def test_a_checkpoint_made_with_another_key_is_refused() -> None:
    """A checkpoint of another key is refused: the same user would be two, and a request would miss one."""
    state = World(settings(privacy={"key": "a secret of the owner"})).pipeline.state()
    with pytest.raises(ValueError, match=r"privacy\.key"):
        World().pipeline.load(state)
