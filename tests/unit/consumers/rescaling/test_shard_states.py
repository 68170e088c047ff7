"""What a pipeline's state holds beside its learners: offsets, requests to forget, event ids, written lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.deduplication import DedupWindow
from consumers.rescaling.shard_states import Topics, newest, shard_states
from consumers.rescaling.shared_places import NO_ENDS, SharedEnds, check_whole
from consumers.service.offline import offline_pipeline
from consumers.service.pipeline import Pipeline
from consumers.sharing.layout import partition_of
from models.migration.reshard import Plan
from models.schema import Interaction
from models.state.snapshot import snapshot
from serving.store.store_mark import UNKNOWN
from tests.support.learners.states import decoded
from tests.support.log.user_log import INTERACTIONS, PARTITIONS, settings_of
from tests.support.store.all_writes import all_writes

torch.set_num_threads(1)

MOVIES, BOOKS = INTERACTIONS
TOPICS = Topics(frozenset(INTERACTIONS), "forget", "reroute")
SETTINGS = settings_of(Path("unused"))


def pipeline(users: list[str], first: int = 0) -> Pipeline:
    """Return a pipeline that has learned a book of each of these users, and written their lists."""
    made = offline_pipeline(SETTINGS)
    for n, user in enumerate(users):
        for k in range(first, first + 3):
            made.arms.learn([Interaction("books", "click", user, f"b{k + n}", 1_700_000_000_000 + n)])
        made.dedup.repeated("books", f"e-{user}", user)
        made.queue.event(user, "books", "b1", 0)
    assert all_writes(made.queue)
    return made


def state(users: list[str], **parts: Any) -> dict[str, Any]:
    return decoded(snapshot(pipeline(users).state())) | parts


def rescaled(
    states: list[dict[str, Any]], count: int, base: int = 0, ends: SharedEnds = NO_ENDS
) -> list[dict[str, Any]]:
    plan = Plan(lambda _shard, user: partition_of(user, PARTITIONS) % count, count, base)
    return shard_states(states, offline_pipeline(SETTINGS).arms.full, plan, TOPICS, ends)


def loaded(state: dict[str, Any]) -> Pipeline:
    made = offline_pipeline(SETTINGS)
    made.load(decoded(snapshot(state)))
    return made


USERS = [f"u{n}" for n in range(12)]
SHARDS = [[user for user in USERS if partition_of(user, PARTITIONS) % 2 == n] for n in range(2)]


def test_an_offset_goes_with_its_partition_and_items_with_the_base() -> None:
    offsets = [
        [[MOVIES, 0, 10], [MOVIES, 2, 12], ["items.movies", 0, 7], ["forget", 0, 5]],
        [[MOVIES, 1, 11], [MOVIES, 3, 13], ["items.movies", 0, 9], ["forget", 0, 4]],
    ]
    states = [state(SHARDS[n], offsets=offsets[n]) for n in range(2)]
    made = rescaled(states, 4, base=1)
    assert [one["offsets"] for one in made] == [
        [["forget", 0, 4], [MOVIES, n, 10 + n], ["items.movies", 0, 9]] for n in range(4)
    ]
    (back,) = rescaled(made, 1)
    assert back["offsets"] == [
        ["forget", 0, 4], *([MOVIES, n, 10 + n] for n in range(4)), ["items.movies", 0, 9]
    ]  # fmt: skip


def test_requests_are_read_again_where_a_shard_has_read_none() -> None:
    states = [state(SHARDS[0], offsets=[["forget", 0, 5]]), state(SHARDS[1], offsets=[])]
    assert [one["offsets"] for one in rescaled(states, 2)] == [[], []]


def shared(applied: int, facts: int, *rerouted: str) -> dict[str, Any]:
    """Return what a shard knows of what shards share."""
    window = DedupWindow(9)
    for one in rerouted:
        window.repeated(MOVIES, one)
    places = [[MOVIES, 0, applied]]
    return {
        "applied": places,
        "judged": places,
        "facts": facts,
        "rerouted": decoded(snapshot(window.state())),
    }


def test_facts_go_on_where_the_base_was() -> None:
    states = [state(SHARDS[0], shards=shared(5, 70)), state(SHARDS[1], shards=shared(4, 80))]
    assert newest(states) == 1
    for one in rescaled(states, 3, newest(states)):
        assert one["shards"]["applied"] == one["shards"]["judged"] == [[MOVIES, 0, 4]]
        assert one["shards"]["facts"] == 80
    assert "shards" not in rescaled(states, 1)[0]


def test_what_was_rerouted_to_any_shard_is_known_by_all() -> None:
    states = [state(SHARDS[n], shards=shared(5, 70, f"1:{n}", "1:9")) for n in range(2)]
    for one in rescaled(states, 3):
        window = DedupWindow(9)
        window.load(one["shards"]["rerouted"])
        assert [window.repeated(MOVIES, place) for place in ("1:0", "1:1", "1:9", "1:2")] == [
            True, True, True, False,
        ]  # fmt: skip


def test_the_topic_of_rerouted_events_goes_on_by_partition() -> None:
    """After a single process, which has not read it, at its end."""
    states = [
        state(SHARDS[n], shards=shared(5, 70), offsets=[["reroute", n, 10 + n], ["reroute", n + 2, 12 + n]])
        for n in range(2)
    ]
    assert [one["offsets"] for one in rescaled(states, 4)] == [[["reroute", n, 10 + n]] for n in (0, 1, 2, 3)]
    assert rescaled(states, 1)[0]["offsets"] == []
    alone = state(USERS, offsets=[[MOVIES, 0, 7]])
    made = rescaled([alone], 2, ends=SharedEnds(33, {0: 5, 1: 6}))
    assert [one["offsets"] for one in made] == [[[MOVIES, 0, 7], ["reroute", 0, 5]], [["reroute", 1, 6]]]
    assert {one["shards"]["facts"] for one in made} == {33}


@pytest.mark.parametrize(
    ("base", "other", "read", "end", "said"),
    [
        (5, 5, 6, 0, ""),
        (5, 6, 6, 0, "has not learned all that shard 1 has shared"),
        (7, 6, 6, 0, "its checkpoint does not hold"),
        (5, 5, 6, 1, "has not read topic reroute to its end"),
    ],
)
def test_one_process_goes_on_from_tables_that_have_everything(
    base: int, other: int, read: int, end: int, said: str
) -> None:
    """base, other: the next event of shard 1 that each has learned. read: where shard 1 goes on reading."""

    def places(following: int) -> dict[str, Any]:
        return shared(4, 70) | {"applied": [[MOVIES, 0, 4], [MOVIES, 1, following]]}

    states = [
        {"shards": places(base), "offsets": [[MOVIES, 0, 4]]},
        {"shards": places(other), "offsets": [[MOVIES, 1, read]]},
    ]
    if not said:
        check_whole(states, 0, "reroute", SharedEnds(80))
        return
    with pytest.raises(Stop, match=said) as caught:
        check_whole(states, 0, "reroute", SharedEnds(80, {1: end}))
    assert caught.value.code == STATE_UNUSABLE


def test_neighbours_are_found_anew() -> None:
    """All that were in the store are due; a new shard keeps those that it writes."""
    one = pipeline(USERS)
    found = state(USERS)["outbox"]["neighbours"]
    found["due"] = [["movies", "m1"]]
    full = one.arms.full.catalogues[1]
    found["indexes"]["books"]["written_at"] = np.ones(2)
    whole = state(USERS)
    whole["outbox"]["neighbours"] = found
    for made in rescaled([whole], 2):
        neighbours = made["outbox"]["neighbours"]
        assert neighbours["due"] == [*(["books", full.id_of[n]] for n in range(2)), ["movies", "m1"]]
        assert not len(neighbours["indexes"]["books"]["written_at"])
        loaded(made)


def test_of_equally_far_shards_the_one_that_learned_most_is_the_base() -> None:
    assert newest([state(["a"]), state(["b", "c"]), state(["d", "e"])]) == 1


def test_a_request_to_forget_that_a_shard_has_not_carried_out_is_read_again() -> None:
    """What all have carried out stays known, so that what users did since stays."""
    forgotten = [
        {"marks": ["a", "b", "c"], "since": [5, 6, 7], "unswept": ["b", "a"]},
        {"marks": ["c", "a"], "since": [7, 4], "unswept": ["c"]},
    ]
    states = [state(SHARDS[n], forgotten=forgotten[n]) for n in range(2)]
    for one in rescaled(states, 3):
        assert one["forgotten"] == {"marks": ["a", "c"], "since": [4, 7], "unswept": ["a", "c"]}


def test_a_repeat_is_known_by_the_shard_of_its_user() -> None:
    states = [state(SHARDS[n]) for n in range(2)]
    made = rescaled(states, 3)
    for shard, one in enumerate(made):
        window = loaded(one).dedup
        for user in USERS:
            known = window.repeated("books", f"e-{user}", user)
            assert known == (partition_of(user, PARTITIONS) % 3 == shard), user
    assert sum(one["dedup"]["count"] for one in made) == len(USERS)


def test_a_repeat_of_a_user_without_a_row_is_known_by_all() -> None:
    one = pipeline(["u1"])
    one.dedup.repeated("books", "old", "gone")
    made = rescaled([decoded(snapshot(one.state()))], 3)
    assert all(loaded(each).dedup.repeated("books", "old", "gone") for each in made)
    (back,) = rescaled(made, 1)
    assert back["dedup"]["count"] == 2


def test_the_oldest_ids_leave_a_window_first() -> None:
    """A ring that has begun anew is put in order."""
    one = offline_pipeline(settings_of(Path("unused"), intake={"dedup_events": 3}))
    for n in range(5):
        one.dedup.repeated("books", f"e{n}", "gone")
    made = rescaled([decoded(snapshot(one.state()))], 2)
    other = offline_pipeline(settings_of(Path("unused"), intake={"dedup_events": 2}))
    other.load(decoded(snapshot(made[1])))
    assert [other.dedup.repeated("books", f"e{n}") for n in (4, 3, 2)] == [True, True, False]


def test_what_waits_for_the_store_goes_with_its_user() -> None:
    queues = [pipeline(users) for users in SHARDS]
    for n, queue in enumerate(queues):
        queue.queue.event(SHARDS[n][0], "books", f"b{n}", 0)
        queue.queue.user_evicted(f"gone{n}")
    made = rescaled([decoded(snapshot(one.state())) for one in queues], 4)
    users = [user for one in made for user in one["outbox"]["users"]]
    assert sorted(users) == sorted(own[0] for own in SHARDS)
    left = {user: n for n, one in enumerate(made) for user in one["outbox"]["left"]}
    assert left == {user: partition_of(user, PARTITIONS) % 4 for user in ("gone0", "gone1")}
    assert all(["books", f"b{n}"] in one["outbox"]["items"] for one in made for n in range(2))


def rewritten(one: Pipeline, item: str) -> set[str]:
    """Return the users whose lists are rewritten when the item may not be recommended any more."""
    one.queue.item("books", item, removed=False, recommendable=False)
    users = set()
    for write in all_writes(one.queue):
        kind, owner = write.key.split(":")[1], one.queue.keys.owner(write.key)
        if kind == "rec" and owner is not None:
            users.add(owner)
    return users


def test_written_lists_are_known_by_item_wherever_its_row_is() -> None:
    """An item that goes makes the same users' lists due, by any base."""
    shards = [pipeline(SHARDS[0]), pipeline(SHARDS[1][::-1], first=4)]
    states = [decoded(snapshot(one.state())) for one in shards]
    item = next(f"b{n}" for n in range(4, 8))
    rows = [one.arms.full.catalogues[1].ids.get(item) for one in shards]
    assert rows[0] != rows[1]
    wanted = set[str]().union(*(rewritten(loaded(one), item) for one in states))
    assert wanted
    for base in range(2):
        for count in (1, 3):
            made = [loaded(one) for one in rescaled(states, count, base)]
            assert set[str]().union(*(rewritten(one, item) for one in made)) == wanted


def test_a_list_that_was_due_stays_due() -> None:
    shards = [pipeline(SHARDS[0]), pipeline(SHARDS[1], first=4)]
    shards[1].queue.index.drop_items("books", [0])
    due = len(shards[1].queue.index)
    assert due
    states = [decoded(snapshot(one.state())) for one in shards]
    for base in range(2):
        assert sum(len(loaded(one).queue.index) for one in rescaled(states, 3, base)) == due


def test_limits_go_with_their_partitions() -> None:
    states = [state(SHARDS[n], limits=[[MOVIES, n, n, b"\1"], ["items.books", 0, 3, b""]]) for n in range(2)]
    made = rescaled(states, 2)
    assert [one["limits"] for one in made] == [
        [[MOVIES, n, n, b"\1"], ["items.books", 0, 3, b""]] for n in range(2)
    ]


def test_a_store_that_lacks_something_is_not_recognised() -> None:
    known = {"started_ts": 3, "marks": {"cc:meta": 9}}
    whole = [
        state(SHARDS[0], store=known),
        state(SHARDS[1], store={"started_ts": 4, "marks": {"cc:meta": 7, "x": 1}}),
    ]
    assert rescaled(whole, 2)[1]["store"] == {"started_ts": 3, "marks": {"cc:meta": 9, "x": 1}}
    assert rescaled([whole[0], state(SHARDS[1], store=UNKNOWN)], 1)[0]["store"] == UNKNOWN
    assert rescaled([state(SHARDS[0], store=None), whole[1]], 1)[0]["store"] is None


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"privacy": "other"}, "privacy"),
        ({"text_encoder": "other"}, "text_encoder"),
        ({"identity": {"cluster": "b"}}, "different logs"),
    ],
)
def test_states_that_do_not_belong_together_are_refused(parts: dict[str, Any], named: str) -> None:
    states = [state(["u1"], identity={"cluster": "a"}), state(["u2"], identity={"cluster": "a"}) | parts]
    with pytest.raises(ValueError, match=named):
        rescaled(states, 2)


def test_an_identity_knows_the_topics_of_all() -> None:
    states = [state(["u1"], identity={"topic:a": "1"}), state(["u2"], identity={"topic:b": "2"})]
    assert rescaled(states, 1)[0]["identity"] == {"topic:a": "1", "topic:b": "2"}


def test_marks_of_ids_follow_their_rows() -> None:
    states = [state(SHARDS[n]) for n in range(2)]
    marks = {
        user: int(one["marks"]["full"][row])
        for one in states
        for user, row in zip(
            one["arms"]["full"]["users"]["ids"], one["arms"]["full"]["users"]["rows"], strict=True
        )
    }
    for one in rescaled(states, 3):
        users = one["arms"]["full"]["users"]
        found = np.array([marks[user] for user in users["ids"]], np.int64)
        assert (one["marks"]["full"][users["rows"]] == found).all()
