"""Merging many changes at once equals merging one after the other, in one pass over each table."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.state import merging
from models.state.checkpoint import CheckpointDirectory
from models.state.dirty_keys import DirtyKeys
from models.state.merging import MERGE, merged
from models.state.snapshot import joined, snapshot
from models.state.tracked_tables import Checkpointed, Named, Ragged, Rows, SparsePlaces, Texts
from models.tables.id_table import IdTable
from tests.support.learners.states import differences


class Tables(Checkpointed):
    """One table of each kind, and parts that come and go, changed at random."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.ids = IdTable(9)
        self.rows, self.texts = np.zeros(0), list[str]()
        self.names: dict[str, float] = {}
        self.lists: dict[int, list[int]] = {}
        self.places = {"ids": np.full(6, -1, np.int32), "weights": np.zeros(6, np.float32)}
        self.marks = {name: DirtyKeys() for name in ("rows", "names", "lists", "places", "rival")}
        self.rival: np.ndarray[Any, Any] | None = None
        self.waiting: list[list[int]] = []

    def step(self) -> None:
        """Make some changes of every kind."""
        rng = self.rng
        for _ in range(rng.randrange(4)):
            key = str(rng.randrange(12))
            self.ids.touch(key) if rng.random() < 0.8 else self.ids.discard(key)
        length = max(1, len(self.rows) + rng.randrange(-1, 3))
        self.rows = np.concatenate([self.rows[:length], np.zeros(max(0, length - len(self.rows)))])
        self.texts = (self.texts + [""] * length)[:length]
        row = rng.randrange(length)
        self.rows[row], self.texts[row] = rng.random(), str(rng.random())
        self.marks["rows"].add(row)
        name, user, place = str(rng.randrange(6)), rng.randrange(5), rng.randrange(6)
        if rng.random() < 0.3:
            if self.names.pop(name, None) is not None:
                self.marks["names"].drop(name)
            if self.lists.pop(user, None) is not None:
                self.marks["lists"].drop(user)
            self.places["ids"][place] = -1
        else:
            if rng.random() < 0.3 and self.names.pop(name, None) is not None:
                self.marks["names"].drop(name)
            self.names[name] = rng.random()
            self.marks["names"].add(name)
            self.lists.setdefault(user, []).append(rng.randrange(100))
            self.marks["lists"].add(user)
            self.places["ids"][place], self.places["weights"][place] = rng.randrange(9), rng.random()
        self.marks["places"].add(place)
        if rng.random() < 0.3:
            self.rival = None if self.rival is not None else np.zeros(rng.randrange(1, 4))
            self.marks["rival"].everything()
        elif self.rival is not None:
            self.rival[-1] += 1.0
            self.marks["rival"].add(len(self.rival) - 1)
        self.waiting = [[1, 2]] * rng.randrange(3)

    def live(self) -> dict[str, Any]:
        marks = self.marks
        rival = None if self.rival is None else {"rows": Rows(marks["rival"], self.rival)}
        return {
            "ids": self.ids.live(),
            "rows": Rows(marks["rows"], self.rows),
            "nested": [
                Texts(marks["rows"], self.texts),
                {"lists": Ragged(marks["lists"], self._listed, self._list_columns)},
            ],
            "names": Named(marks["names"], lambda: list(self.names), self.columns),
            "places": SparsePlaces(
                marks["places"],
                lambda: np.flatnonzero(self.places["ids"] >= 0),
                lambda at: {name: column[at] for name, column in self.places.items()},
            ),
            "rival": rival,
            **({} if rival is None else {"also": rival}),
            "waiting": self.waiting,
        }

    def columns(self, names: list[str]) -> dict[str, Any]:
        return {"values": np.array([self.names[name] for name in names])}

    def _listed(self) -> NDArray[np.int64]:
        return np.array(sorted(self.lists), np.int64)

    def _list_columns(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        held = [row for row in rows.tolist() if row in self.lists]
        lists = [self.lists[row] for row in held]
        return {
            "users": np.array(held, np.int64),
            "lengths": np.array([len(one) for one in lists], np.int64),
            "hashes": np.array([item for one in lists for item in one], np.int64),
        }


def taken(tables: Tables, increment: bool = True) -> Any:
    held = snapshot(tables.live(), increment)
    return joined(msgspec.msgpack.decode(held.body), held.tensors)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 14), st.integers(0, 14))
def test_all_at_once_is_one_after_the_other(seed: int, steps: int, cut: int) -> None:
    """Merged changes equal the present state, with rows, names and parts that come and go."""
    tables = Tables(seed)
    tables.step()
    base, changes = taken(tables, False), []
    for _ in range(steps):
        tables.step()
        changes.append(taken(tables))
    now = taken(tables, False)
    assert differences(merged(deepcopy(base), deepcopy(changes)), now) == []
    half = merged(deepcopy(base), deepcopy(changes[:cut]))
    assert differences(merged(half, changes[cut:]), now) == []


def test_a_restart_puts_each_table_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart builds each table once, for any number of increments."""
    calls: list[str] = []
    for kind, real in MERGE.items():
        counting = lambda base, changes, kind=kind, real=real: calls.append(kind) or real(base, changes)  # noqa: E731
        monkeypatch.setitem(merging.MERGE, kind, counting)
    tables, directory = Tables(1), CheckpointDirectory(tmp_path)
    tables.rival = np.zeros(2)
    for n in range(40):
        directory.save(snapshot(tables.live(), increment=n > 0))
        row = n % 3
        tables.ids.touch(str(n % 7))
        tables.names[str(row)] = n
        tables.marks["names"].add(str(row))
        tables.lists[row] = [n]
        tables.marks["lists"].add(row)
    state, problems = CheckpointDirectory(tmp_path).load()
    assert problems == []
    assert state is not None
    assert sorted(calls) == sorted(["order", "rows", "texts", "lists", "named", "places", "rows", "rows"])
