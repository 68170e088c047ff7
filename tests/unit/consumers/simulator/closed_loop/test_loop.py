"""The closed loop against a service that records what it gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.simulator.closed_loop.loop import ListShown, first_items, rows_of, run
from consumers.simulator.closed_loop.records import Look
from consumers.simulator.closed_loop.world import Ints, World
from consumers.simulator.event_stream import item_id, user_id
from models.schema import Domain, Impression, Interaction, Item

SHOWN_MS, NOW_MS = 1_704_067_100_000, 1_704_067_200_000


class Recording:
    """A `Service` whose lists hold the items that were put last, the newest first; none in the domain `silent`."""

    def __init__(self, silent: str = "") -> None:
        self.silent = silent
        self.there: dict[str, list[str]] = {}
        self.records: list[Sent] = []
        self.together: list[int] = []

    def now_ms(self, time: int) -> int:
        return NOW_MS + time

    def put(self, items: Sequence[Sent]) -> None:
        for sent in items:
            self.there.setdefault(sent.domain, []).insert(0, sent.key.decode())

    def lists(self, domain: str, users: Sequence[str], time: int) -> list[ListShown]:
        items = [] if domain == self.silent else self.there[domain][:12]
        return [ListShown(items, SHOWN_MS) for _ in users]

    def take(self, records: Sequence[Sent]) -> None:
        self.together.append(len(records))
        self.records += records


class Looks:
    """A `Watcher` that keeps everything."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, int, list[int]]] = []
        self.done: list[Look] = []

    def before(self, time: int, user: int, domain: int, rows: Ints) -> None:
        self.begun.append((time, user, domain, rows.tolist()))

    def after(self, look: Look) -> None:
        self.done.append(look)


def looked(silent: str = "", impressions: int = 200) -> tuple[World, Recording, Looks]:
    made = World.make("text", 0, users=40, items=60, before=0, impressions=impressions)
    service, looks = Recording(silent), Looks()
    service.put(first_items(made))
    run(made, service, range(impressions), looks, "e", lambda _: None)
    return made, service, looks


def test_users_choose_only_among_what_the_lists_show() -> None:
    """Every user of `visits` looks once, in order, at the first ten places of their list; clicks are among them."""
    made, service, looks = looked()
    visits = list(zip(made.visits.user.tolist(), made.visits.domain.tolist(), strict=True))
    assert [(user, domain) for _, user, domain, _ in looks.begun] == visits
    assert all(len(rows) == 10 for *_, rows in looks.begun)
    assert sum(look.clicked.sum() for look in looks.done) == sum(
        b'"click"' in r.value for r in service.records
    )
    assert len(service.together) == math.ceil(200 / 16)


def test_the_records_are_those_of_the_contract() -> None:
    """The service's decoder takes every record: impressions in their order, and clicks that name theirs."""
    made, service, looks = looked()
    topics = {f"{kind}.{name}": (name, kind) for name in made.domains for kind in ("interactions", "items")}
    decoder = Decoder(topics, [Domain(name) for name in made.domains], clock=lambda: math.inf)  # type: ignore[arg-type]
    shown: dict[str | None, Impression] = {}
    clicks = 0
    ids = set()
    for sent in service.records:
        found = decoder.decode(Record(f"interactions.{sent.domain}", 0, 0, -1, sent.key, sent.value))
        assert isinstance(found, Impression | Interaction), found
        assert found.user.encode() == sent.key
        ids.add(found.event_id)
        if isinstance(found, Impression):
            assert found.list_ts == SHOWN_MS
            shown[found.event_id] = found
        else:
            clicks += 1
            meant = shown[found.impression]
            assert (found.user, found.domain) == (meant.user, meant.domain)
            assert found.timestamp == meant.timestamp + 1000 * meant.items.index(found.item)
    assert clicks > 0
    assert len(ids) == len(service.records)
    first = looks.done[0]
    assert shown["e0"].items == tuple(item_id(made.domains[first.domain], row) for row in first.rows.tolist())
    item = decoder.decode(Record("items.books", 0, 0, -1, b"books-00000", first_items(made)[1].value))
    assert isinstance(item, Item)
    assert (item.title, item.text) == made.items[1].words[0]


def test_items_arrive_before_their_first_chance_and_only_then() -> None:
    """At the end everything was put once, and no list held an item more than one batch before its arrival."""
    made, service, looks = looked(impressions=500)
    assert {name: len(set(held)) for name, held in service.there.items()} == dict.fromkeys(made.domains, 60)
    assert sum(map(len, service.there.values())) == 180
    for time, _, domain, rows in looks.begun:
        assert (made.items[domain].born[rows] < time + 16).all()


def test_an_empty_list_is_no_impression() -> None:
    """Nothing is sent for it, and the watcher sees that nothing was shown."""
    made, service, looks = looked(silent="books")
    assert all(sent.domain != "books" for sent in service.records)
    empty = [domain for _, _, domain, rows in looks.begun if not rows]
    assert len(empty) == int((made.visits.domain == 1).sum()) > 0
    assert len(looks.done) == 200 - len(empty)


@pytest.mark.parametrize("item", ["movies-00099", "books-00001", "dune", "movies-1", "movies-²"])
def test_an_item_of_another_world_is_refused(item: str) -> None:
    """The message names the item and what to do."""
    made = World.make("mute", 0, users=5, items=30)
    assert rows_of(made, 0, ["movies-00007"]).tolist() == [7]
    with pytest.raises(Stop, match=f"a list of movies holds {item}, .* a redis.prefix of its own"):
        rows_of(made, 0, [item])


def test_a_run_in_two_parts_is_the_same_as_one() -> None:
    """What users see and do does not depend on where a run was divided, if it was between two batches."""
    whole = looked(impressions=160)[2]
    made = World.make("text", 0, users=40, items=60, before=0, impressions=160)
    service, looks = Recording(), Looks()
    service.put(first_items(made))
    for part in (range(64), range(64, 160)):
        run(made, service, part, looks, "e", lambda _: None)
    assert looks.begun == whole.begun
    assert all(np.array_equal(a.clicked, b.clicked) for a, b in zip(looks.done, whole.done, strict=True))
    assert user_id(looks.done[0].user) == msgspec.json.decode(service.records[0].value or b"")["user_id"]
