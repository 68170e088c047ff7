"""A forgotten user leaves no trace: every byte of the state is searched, with everything on that holds ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.config.loader import build
from consumers.erasure.eraser import Forgetting
from consumers.events.record import Record
from consumers.service.checkpoint_writer import Checkpointer
from models.adaptation.challengers import FreshBias
from models.network.shadow_network import ShadowNetwork
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import joined, snapshot
from serving.pseudonyms import Pseudonyms
from tests.support.doubles import ListSource
from tests.support.pipelines import clocks_of, list_pipeline
from tests.support.states import differences

START = 1_700_000_000_000
USER = "u-forget-me"
MARK = Pseudonyms().mark(USER)


def settings(**more: Any) -> Any:
    return build(
        {
            "domains": {"movies": {}, "books": {"role": "target"}},
            "intake": {"batch_events": 8, "network_events": 16, "dedup_events": 100},
            "learner": {"users": 12, "items_per_domain": 40},
            "kafka": {"forget_topic": "forget"},
            **more,
        }
    )


def event(n: int, user: str = USER, **fields: Any) -> tuple[str, str, dict[str, Any]]:
    """Ratings in both domains in turn; the event_id names the user."""
    domain = ("movies", "books")[n % 2]
    value = {"type": "rating", "user_id": user, "item_id": f"{domain[0]}{n % 12}", "value": 1 + n % 5}
    return f"interactions.{domain}", user, value | {"event_id": f"{user}/{n}"} | fields


def forget(mark: str, when: int) -> tuple[str, str, dict[str, Any]]:
    return "forget", mark, {"timestamp": when}


class World:
    """A pipeline on a list that grows."""

    def __init__(self, config: Any = None, checkpointer: Checkpointer | None = None) -> None:
        self.config = config or settings()
        self.records: list[Record] = []
        self.source = ListSource(self.records)
        self.now = 0.0
        clocks = clocks_of(lambda: self.now)
        self.pipeline = list_pipeline(self.config, self.source, checkpointer=checkpointer, clocks=clocks)
        self.arms, self.outbox = self.pipeline.arms, self.pipeline.outbox

    def put(self, *sent: tuple[str, str, dict[str, Any]]) -> None:
        for topic, key, value in sent:
            n = len(self.records)
            data = json.dumps(value).encode()
            self.records.append(Record(topic, 0, n, START + 1000 * n, key.encode(), data))

    def run(self) -> None:
        """Learns all there is."""
        self.pipeline.step()
        self.now += 10.0
        self.pipeline.step()
        assert not len(self.pipeline.batcher)

    def live(self) -> None:
        """Everything on that holds ids: rows of both arms, evictions, a rival, challengers, waiting events."""
        others = [event(n, f"v{n % 20}") for n in range(100)]
        self.put(*others[:50], *(event(n) for n in range(30)))
        self.run()
        for domain in ("movies", "books"):
            index = self.arms.full.index[domain]
            assert self.arms.loop is not None
            self.arms.loop.running[domain, "bias"] = FreshBias("reset_domain", self.arms.full, index)
        network = self.arms.full.network
        assert network.search is not None
        network.search.shadow = ShadowNetwork(network.trainer, network.items)
        self.put(*others[50:], *(event(n) for n in range(30, 41)))
        self.run()
        assert self.arms.full.waiting
        assert USER in self.arms.full.users

    def bytes(self) -> bytes:
        """The whole state as a checkpoint holds it."""
        taken = snapshot(self.pipeline.state())
        return taken.body + b"".join(array.tobytes() for array in taken.tensors.values())


def test_no_byte_of_the_state_names_a_forgotten_user() -> None:
    """Tables, River names, challengers, outbox, dedup window: the id is in all of them before, in none after."""
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
    """Taste, slopes, recent items and replayed events: nothing but zeros stays."""
    world = World()
    world.live()
    learner = world.arms.full
    row = learner.users.get(USER)
    assert row is not None
    buffer = learner.network.buffer
    theirs = (buffer._events.user[: len(buffer)] == row).nonzero()[0]
    assert len(theirs)
    world.put(forget(MARK, START + 1000 * len(world.records)))
    world.run()
    for rating in (learner.rating, *learner.alone.values()):
        taste = rating.taste.arrays
        assert not taste.known[row]
        assert not taste.mean[row].any()
        assert not taste.covariance[row].any()
        assert not rating.cells.arrays.user[row].any()
    choices = [*learner.ranker.choices, *learner.ranker.alone.values()]
    assert not any(choice.users[row].any() for choice in choices)
    rings = learner.history.rings()
    assert not any(held[row].any() for held in (rings.events, rings.time, rings.row, rings.seq))
    assert all(row not in seen for seen in learner.history._seen)
    waiting = learner.pending.take()
    assert waiting is None or (waiting.user != row).all()
    events = buffer._events
    assert not events.time[theirs].any()
    assert not events.residual[theirs].any()
    assert (events.recent[theirs] == -1).all()
    on_lists = world.outbox.live([])["on_lists"]
    assert not any(part.values[row : row + 1].any() for part in on_lists.values())


def test_earlier_events_are_dropped_and_counted_later_ones_learned() -> None:
    """By the event's own time and by its record's; in = learned + duplicates + dead letters + forgotten."""
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
    """A log read from its beginning: the request is known before any event, so that none is learned."""
    world = World()
    world.put(forget(MARK, START + 1000 * 40), *(event(n) for n in range(20)), event(1, "other"))
    world.run()
    assert world.pipeline.totals["forgotten"] == 20
    assert USER.encode() not in world.bytes()
    assert "other" in world.arms.full.users


@pytest.mark.parametrize(
    "value", [b"{", b"{}", None, b'{"timestamp": 12}', b'{"timestamp": 1700000000000, "key": "x"}']
)
def test_a_request_that_cannot_be_used_is_a_dead_letter(value: bytes | None) -> None:
    """Malformed, without a time, or made with another key: nothing is erased, the letter says why."""
    world = World()
    world.put(event(1))
    world.records.append(Record("forget", 0, 1, START, MARK.encode(), value))
    world.run()
    assert world.pipeline.totals["dead_letters"] == 1
    assert USER in world.arms.full.users


def test_checkpoints_from_before_are_deleted(tmp_path: Path) -> None:
    """Older ones are deleted once one without the user is on disk; no byte of the folder names them then."""
    ticks = iter(range(0, 100_000, 100))
    checkpointer = Checkpointer(tmp_path, 10.0, lambda *_: None, lambda: float(next(ticks)))
    world = World(checkpointer=checkpointer)
    for n in range(4):
        world.put(event(n))
        world.run()
        checkpointer.poll(wait=True)
    found = [p for p in tmp_path.rglob("state.msgpack") if USER.encode() in p.read_bytes()]
    assert len(found) == 3
    world.put(forget(MARK, START + 1000 * 50))
    world.run()
    checkpointer.poll(wait=True)  # one of before may still have been on its way
    world.pipeline.step()
    checkpointer.poll(wait=True)
    checkpointer.close()
    assert list(tmp_path.glob("0*"))
    assert naming_the_user(tmp_path) == []


def test_checkpoints_with_increments(tmp_path: Path) -> None:
    """Increments name the user, in every table there is: once the next has been made whole by the other process and
    the one after it is written, no byte of the folder does. What was erased stays so in the increments that follow,
    and in a whole state made of them."""
    ticks = iter(range(0, 100_000, 100))
    checkpointer = Checkpointer(tmp_path, 10.0, lambda *_: None, lambda: float(next(ticks)), whole_mb=0.001)
    world = World(checkpointer=checkpointer)

    def save() -> None:
        world.pipeline.step()
        checkpointer.poll(wait=True)

    world.live()
    save()
    world.put(*(event(n) for n in range(50, 58)))
    world.run()
    save()
    assert [p for p in naming_the_user(tmp_path) if p.name == "increment.msgpack"]
    world.put(forget(MARK, START + 1000 * len(world.records)), *(event(n, f"v{n}") for n in range(8)))
    world.run()
    checkpointer.poll(wait=True)  # one of before may still have been on its way
    save()
    assert naming_the_user(tmp_path)
    compacting = checkpointer._compacting
    assert compacting is not None
    assert compacting.process.wait(120) == 0
    save()
    assert naming_the_user(tmp_path) == []
    assert len(list(tmp_path.glob("*/manifest.json"))) == 1
    world.put(*(event(n, f"v{n % 9}") for n in range(60, 92)))
    world.run()
    save()
    increments = sorted(p.parent.name for p in tmp_path.glob("*/increment.json"))
    CheckpointDirectory(tmp_path, read_only=True).compact(int(increments[-1]))
    assert len(list(tmp_path.glob("*/manifest.json"))) == 2
    assert naming_the_user(tmp_path) == []
    state, problems = CheckpointDirectory(tmp_path, read_only=True).load()
    assert problems == []
    assert state is not None
    assert not state.pop("alone")
    taken = snapshot(world.pipeline.state())
    assert differences(joined(msgspec.msgpack.decode(taken.body), taken.tensors), state) == []
    checkpointer.close()


def naming_the_user(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and USER.encode() in p.read_bytes()]


def test_a_crash_before_older_checkpoints_are_deleted(tmp_path: Path) -> None:
    """The one that was to be alone says so: the first checkpoint of the next life deletes what is left."""
    ticks = iter(range(0, 100_000, 100))

    def checkpointer() -> Checkpointer:
        return Checkpointer(tmp_path, 10.0, lambda *_: None, lambda: float(next(ticks)))

    first = checkpointer()
    first.take({"n": 1}, {})
    first.poll(wait=True)
    older = next(tmp_path.glob("0*"))
    held = {p.name: p.read_bytes() for p in older.iterdir()}
    first.purge_older()
    first.take({"n": 2}, {})
    first.poll(wait=True)
    first.close()
    older.mkdir()
    for name, data in held.items():
        (older / name).write_bytes(data)
    second = checkpointer()
    assert second.load() == {"n": 2}
    assert second.erased == {}
    second.take({"n": 3}, {})
    second.poll(wait=True)
    second.close()
    assert [p.name for p in tmp_path.glob("0*")] == ["000000000003"]


def test_a_request_hashes_as_much_whatever_the_number_of_users() -> None:
    """Neither the ids of all users, nor of those who joined since: a hash for each who joins, and a few a request."""
    hashed: list[str] = []

    def hashes(users: int) -> list[int]:
        """Of the users' first events, and of each of twenty requests."""
        world = World(settings(learner={"users": 100, "items_per_domain": 40}))
        mark = world.pipeline.ids.mark
        world.pipeline.ids.mark = lambda user: hashed.append(user) or mark(user)  # type: ignore[func-returns-value,method-assign]
        world.pipeline.forgetting = Forgetting(
            world.pipeline.ids.mark, world.arms, world.outbox, world.pipeline.dedup, None, lambda: 0.0
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
    """A row in the learner, in a challenger alone, lately evicted, or not there at all; in a state from before there
    were marks in it, too."""
    world = World(settings(learner={"users": 12, "items_per_domain": 40}))
    world.live()
    world.put(*(event(2 * n, f"w{n}") for n in range(12)))
    world.run()
    state = decoded(world)
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


def decoded(world: World) -> dict[str, Any]:
    taken = snapshot(world.pipeline.state())
    state: dict[str, Any] = joined(msgspec.msgpack.decode(taken.body), taken.tensors)
    return state


def test_pseudonyms_keep_raw_ids_out_of_state_and_keys() -> None:
    """With a key: no byte of the state, no key and no event_id holds a raw id; forgetting works on the pseudonym."""
    ids = Pseudonyms("a secret of the owner")
    world = World(settings(privacy={"key": "a secret of the owner"}))
    world.live = lambda: None  # type: ignore[method-assign]
    world.put(*(event(n) for n in range(20)))
    world.run()
    state = world.bytes()
    assert USER.encode() not in state
    assert ids.inside(USER).encode() in state
    keys = [write.key for write in world.outbox.collect(lambda: True)]
    assert f"cc:user:{{{ids.inside(USER)}}}" in keys
    assert not any(USER in key for key in keys)
    assert world.pipeline.metrics.registry.get_sample_value("crosscurrent_key_mismatches_total") == 0
    topic, _, value = forget(ids.mark(ids.inside(USER)), START + 1000 * 30)
    world.put((topic, _, value | {"key": ids.fingerprint}))
    world.run()
    assert ids.inside(USER).encode() not in world.bytes()
    assert b"a secret" not in state + world.bytes()


def test_a_checkpoint_made_with_another_key_is_refused() -> None:
    """Else the same user would be two, and requests to forget would miss one of them."""
    state = World(settings(privacy={"key": "a secret of the owner"})).pipeline.state()
    with pytest.raises(ValueError, match=r"privacy\.key"):
        World().pipeline.load(state)
