"""Add up what the units of live experiments were shown and clicked: by user row, and by arm."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.experiments.arm_totals import ArmTotals
from models.experiments.experiment import DEFAULT, Experiment
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import item_hash
from models.tables.seen_items import SeenItems

RECORD = 7
"""Numbers of a unit: its slot, its arm, the list, and its totals."""
_TOTALS = slice(3, 7)
_SHOWN, _CLICKS, _BEFORE = 3, 4, 2


class CountedImpression(NamedTuple):
    """An impression as an experiment counts it. user: id, and row: theirs. list_ts: 0 for none. Times are ms."""

    user: str
    row: int
    domain: str
    time: int
    list_ts: int


class _Slot(NamedTuple):
    """Where the present unit of a user is counted: one slot an experiment, or one a domain if each list is a unit."""

    key: int
    experiment: Experiment
    arms: tuple[str, ...]


class ExperimentTotals(Checkpointed):
    """The totals of all experiments. One domain is in one experiment at most.

    Of each user row it keeps the totals of the present unit, 56 bytes a slot: of the user, or of the list that they
    were shown last. Sums over units are kept by arm. A user who is forgotten is taken out of the sums; what is known of
    their earlier lists stays there, with nothing that tells whose they were. So do the sums of users who are evicted.
    """

    def __init__(self, experiments: Iterable[Experiment] = ()) -> None:
        self.experiments = tuple(experiments)
        self._slots: dict[str, _Slot] = {}
        """By domain."""
        for experiment in self.experiments:
            for domain in experiment.domains:
                told = "" if experiment.unit == "user" else f"/{domain}"
                key = item_hash(f"{experiment.identity}{told}")
                self._slots[domain] = _Slot(key, experiment, tuple(experiment.arms))
        self._known = {slot.key: slot for slot in self._slots.values()}
        self.arms = {one.name: {arm: ArmTotals() for arm in one.arms} for one in self.experiments}
        """By experiment and arm."""
        self._units = SeenItems(RECORD * max(1, len(self._known)))
        self.notes: list[str] = []
        """What the last `load` had to leave out, as sentences."""

    @property
    def domains(self) -> Collection[str]:
        """The domains that are in an experiment."""
        return self._slots.keys()

    def shown(self, seen: CountedImpression, items: NDArray[np.int64]) -> str:
        """Count an impression of these items, (n,) hashes. Return the policy that made it."""
        slot, arm, column = self._place(seen)
        if slot is None or arm is None:
            return DEFAULT
        if column == _SHOWN:
            self.arms[slot.experiment.name][arm].shows(seen.domain, items)
        self._count(slot, arm, seen, column)
        return slot.experiment.policy(arm) if column == _SHOWN else DEFAULT

    def clicked(self, seen: CountedImpression, clicks: int, first_in_top: bool) -> str:
        """Count a click on an item of an impression that was not clicked before. Return the impression's policy.

        clicks: clicked items of the impression before. first_in_top: whether it is the first in the first ten places.
        """
        slot, arm, column = self._place(seen)
        if slot is None or arm is None:
            return DEFAULT
        totals = self.arms[slot.experiment.name][arm]
        if column == _SHOWN and first_in_top:
            totals.tops += 1
        record = self._record(seen.row, slot)
        if record is not None and (slot.experiment.unit == "user" or record[2] == seen.list_ts):
            self._count(slot, arm, seen, column + 1)
        elif column == _SHOWN:
            # Of an earlier list, or of a user who was evicted since: its impression is a unit by itself.
            totals.sums = totals.sums.moved((1, clicks, 0, 0), (1, clicks + 1, 0, 0))
        return slot.experiment.policy(arm) if column == _SHOWN else DEFAULT

    def policy(self, user: str, domain: str, time: int) -> str:
        """Return the policy of a user's present list at a time in ms.

        Where each list is a unit by itself, it is the experiment's name alone: which list they have now is not kept.
        """
        slot = self._slots.get(domain)
        if slot is None:
            return DEFAULT
        experiment = slot.experiment
        if experiment.unit == "list":
            return experiment.name
        arm = experiment.arm(user, domain, time)
        return DEFAULT if arm is None else experiment.policy(arm)

    def _place(self, seen: CountedImpression) -> tuple[_Slot | None, str | None, int]:
        """Return slot, arm and column of an impression: of impressions, or of those before the experiment."""
        slot = self._slots.get(seen.domain)
        if slot is None:
            return None, None, _SHOWN
        experiment = slot.experiment
        if experiment.unit == "list":
            arm = experiment.arm(seen.user, seen.domain, seen.list_ts) if seen.list_ts else None
            return slot, arm, _SHOWN
        published = seen.list_ts or seen.time
        column = _SHOWN if published >= experiment.starts else _SHOWN + _BEFORE
        return slot, experiment.planned(seen.user, seen.domain, published), column

    def _count(self, slot: _Slot, arm: str, seen: CountedImpression, column: int) -> None:
        """Add 1 to a total of the impression's unit."""
        totals = self.arms[slot.experiment.name][arm]
        record = self._record(seen.row, slot)
        list_ts = 0 if slot.experiment.unit == "user" else seen.list_ts
        if record is not None and list_ts < record[2]:
            # Of an earlier list, which is not kept.
            totals.sums = totals.sums.moved((0, 0, 0, 0), (1, 0, 0, 0))
            return
        if record is None:
            record = self._new_record(seen.row, slot)
        if record[2] != list_ts or record[1] != slot.arms.index(arm):
            record[1:] = 0
            record[1:3] = slot.arms.index(arm), list_ts
        before = record[_TOTALS].tolist()
        record[column] += 1
        self._units.written.add(seen.row)
        totals.sums = totals.sums.moved(before, record[_TOTALS].tolist())

    def _record(self, row: int, slot: _Slot) -> NDArray[np.int64] | None:
        """Return a view of the numbers of the user's present unit, None if there is none."""
        return next((record for record in self._records(row) if record[0] == slot.key), None)

    def _records(self, row: int) -> Iterator[NDArray[np.int64]]:
        words = self._units.of(row)
        for begin in range(0, len(words) - RECORD + 1, RECORD):
            yield words[begin : begin + RECORD]

    def _new_record(self, row: int, slot: _Slot) -> NDArray[np.int64]:
        """Add a unit without totals to a user's numbers, and drop those of experiments that are over."""
        kept = [record.copy() for record in self._records(row) if int(record[0]) in self._known]
        if len(kept) * RECORD < len(self._units.of(row)):
            self._units.drop(row)
            kept = [*kept, np.zeros(0, np.int64)]
            words = np.concatenate(kept)
            self._units.add(np.full(len(words), row), words)
        new = np.array([slot.key, *[0] * (RECORD - 1)], np.int64)
        self._units.add(np.full(RECORD, row), new)
        return self._units.of(row)[-RECORD:]

    def forget(self, row: int | None) -> None:
        """Take the present units of a user who asked to be forgotten out of all sums. row: None if they have none."""
        for record in () if row is None else self._records(row):
            slot = self._known.get(int(record[0]))
            if slot is not None:
                totals = self.arms[slot.experiment.name][slot.arms[int(record[1])]]
                totals.sums = totals.sums.moved(record[_TOTALS].tolist(), (0, 0, 0, 0))
        if row is not None:
            self.drop_user(row)

    def drop_user(self, row: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on. The sums stay."""
        self._units.drop(row)

    def drop_item(self, domain: int, row: int) -> None:
        """Keep what was shown: items are hashes, which say nothing of rows."""

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        held = {
            one.name: {
                "identity": one.identity,
                "arms": {arm: totals.state() for arm, totals in self.arms[one.name].items()},
            }
            for one in self.experiments
        }
        return {"units": self._units.live(), "sums": held}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Experiments that it has with another definition, or not at all, begin anew."""
        self._units.load(state["units"])
        self.notes = []
        identities = {one.name: one.identity for one in self.experiments}
        for name, held in state["sums"].items():
            if name not in identities:
                self.notes.append(f"experiment {name} is not in the config any more; its totals are gone")
            elif held["identity"] != identities[name]:
                self.notes.append(f"experiment {name} is defined in another way; its totals begin anew")
            else:
                self.arms[name] = {arm: ArmTotals.of(held["arms"][arm]) for arm in self.arms[name]}


def joined(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of several shards, as one state has them."""
    found: dict[str, Any] = {}
    for state in states:
        for name, held in state.items():
            if name not in found:
                found[name] = held
            elif found[name]["identity"] == held["identity"]:
                arms = {
                    arm: (ArmTotals.of(one) + ArmTotals.of(held["arms"][arm])).state()
                    for arm, one in found[name]["arms"].items()
                }
                found[name] = {"identity": held["identity"], "arms": arms}
    return found
