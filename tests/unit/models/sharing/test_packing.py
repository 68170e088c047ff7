"""Facts survive packing to the last bit, and a record that is none says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from models.sharing.packing import FactsError, pack, unpack
from models.sharing.shared_facts import Latest, Place, Rated, SharedFacts
from tests.support.learners.facts import facts_at, places_of
from tests.support.learners.states import differences


@st.composite
def some_facts(draw: st.DrawFn) -> SharedFacts:
    """Any numbers in columns of fitting lengths, any text as ids. Few, because hypothesis refuses large examples."""
    events, items, taste = draw(st.integers(0, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    count = draw(arrays.arrays(np.uint8, events, elements=st.integers(0, 6)))
    rated = sorted(draw(st.sets(st.integers(0, max(events - 1, 0)), max_size=events)))
    total, ratings = int(count.sum()), len(rated)

    def column(kind: type, *shape: int) -> NDArray[Any]:
        drawn: NDArray[Any] = draw(arrays.arrays(kind, shape))
        return drawn

    latest = Latest(
        count, np.zeros(total, np.int8), np.arange(total, dtype=np.uint32) % items, column(np.float16, total)
    )
    lessons = Rated(
        np.array(rated, np.uint32), column(np.float64, ratings), column(np.float32, ratings),
        column(np.float32, ratings), column(np.float32, ratings, 2, 2), column(np.float16, ratings, 2, taste),
    )  # fmt: skip
    ids = draw(st.lists(st.text(max_size=9), min_size=items, max_size=items))
    return SharedFacts(
        [("a.topic", 3)], np.zeros(events, np.uint16), column(np.int64, events), ["movies"], [ids],
        np.zeros(events, np.int8), np.arange(events, dtype=np.uint32) % items, column(np.int64, events),
        column(np.uint32, events), latest, lessons, column(np.float32, events, 4), column(np.uint8, events, 4),
        dict.fromkeys(rated, ("device=phone",)),
    )  # fmt: skip


def as_state(facts: SharedFacts) -> dict[str, object]:
    flat = facts._asdict() | {"latest": facts.latest._asdict(), "rated": facts.rated._asdict()}
    return flat | {"context": {str(n): list(names) for n, names in facts.context.items()}}


@given(some_facts())
@settings(max_examples=60, deadline=None)
def test_what_is_packed_comes_back_to_the_last_bit(facts: SharedFacts) -> None:
    assert differences(as_state(facts), as_state(unpack(pack(facts)))) == []


@given(some_facts(), st.data())
@settings(max_examples=60, deadline=None)
def test_some_events_are_taken_with_all_that_belongs_to_them(facts: SharedFacts, data: st.DataObject) -> None:
    kept = sorted(data.draw(st.sets(st.integers(0, max(facts.size - 1, 0)), max_size=facts.size)))
    some = facts.take(np.array(kept, np.int64))
    assert some.offset.tolist() == facts.offset[kept].tolist()
    assert some.latest.lengths.tolist() == facts.latest.lengths[kept].tolist()
    starts = np.concatenate([[0], np.cumsum(facts.latest.lengths.astype(int))])
    items = [facts.latest.item[starts[n] : starts[n + 1]].tolist() for n in kept]
    assert some.latest.item.tolist() == [item for held in items for item in held]
    rated = [n for n in kept if n in facts.rated.event]
    assert [kept[n] for n in some.rated.event] == rated
    assert [kept[n] for n in some.context] == rated


@pytest.mark.parametrize("record", [b"", b"CCF", b"{}", b"\0\0\0\1\1"])
def test_a_record_of_another_program_is_refused(record: bytes) -> None:
    with pytest.raises(FactsError, match="no record of facts"):
        unpack(record)


def test_an_unknown_version_is_refused_with_what_to_do() -> None:
    record = bytearray(pack(facts_at([Place("t", 0, 1)])))
    record[3] = 9
    with pytest.raises(FactsError, match=r"version 9.*reads version 1.*Run all shards with the same version"):
        unpack(bytes(record))


def test_damaged_facts_are_refused() -> None:
    record = pack(facts_at([Place("t", 0, n) for n in range(20)]))
    for cut in (4, 5, len(record) // 2, len(record) - 1):
        with pytest.raises(FactsError, match="damaged"):
            unpack(record[:cut])


def test_parts_hold_all_events_in_their_order() -> None:
    facts = facts_at([Place("t", n % 2, n) for n in range(10)])
    parts = facts.parts(4)
    assert [part.size for part in parts] == [4, 4, 2]
    assert [place for part in parts for place in places_of(part)] == places_of(facts)
