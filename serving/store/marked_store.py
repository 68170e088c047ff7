"""Write to the store with marks: one round trip compares the marks, writes a chunk and marks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import redis

from serving.contract import Write
from serving.store.errors import wrong_type
from serving.store.store import FieldOf, Store
from serving.store.store_mark import FIELD, Known, StoreMark

STARTED = "started_ts"


class MarkedStore:
    """A store with marks, for one thread. Every method raises redis.RedisError if the store is away or refuses.

    `replaced(key)` is called if a key of ours holds a value of another type, which is replaced.
    """

    def __init__(
        self, store: Store, meta_key: str, started_ts: int, replaced: Callable[[str], object]
    ) -> None:
        self._store = store
        self._meta_key = meta_key
        self._replaced = replaced
        self.mark = StoreMark(meta_key, started_ts)

    def begin(self, known: Known | None) -> None:
        """Compare the store with what the earlier process knew of it (`StoreMark.known`)."""
        places = dict.fromkeys((*self._places(), *(known["marks"] if known else ())))
        self.mark.begin(known, *self._look(list(places)))

    def probe(self) -> None:
        """Compare all marks."""
        self._compare(*self._look(self._places()))

    def _places(self) -> list[str]:
        return [self._place(tag) for tag in self._store.parts()]

    def _place(self, tag: str) -> str:
        """Return the key with the mark of one part of the store."""
        return f"{self._meta_key}:{{{tag}}}" if tag else self._meta_key

    def _compare(self, started: int | None, held: dict[str, int]) -> None:
        if not self.mark.compare(started, held):
            again = Write(self._meta_key, "hash", {STARTED: self.mark.started_ts})
            (error,) = self._store.write([again]).errors
            if error is not None:
                raise error

    def write(self, writes: Sequence[Write]) -> tuple[int, list[Exception | None]]:
        """Send all, in this order. Return their mark, and for each write why it was not taken, or None.

        A write whose mark was not taken counts as not taken: later it would not be clear whether it is there.
        """
        of = [self._place(self._store.part_of(write.key)) for write in writes]
        places = list(dict.fromkeys(of))
        number, sent = self.mark.next(), self.mark.started_ts
        marks = [Write(place, "hash", {FIELD: number}) for place in places]
        answers = self._store.write([*map(self._signed, writes), *marks], self._fields(places))
        self._compare(*self._seen(answers.found, places))
        marked = dict(zip(places, map(_not_marked, answers.errors[len(writes) :]), strict=True))
        errors = [
            error or marked[place] for error, place in zip(answers.errors[: len(writes)], of, strict=True)
        ]
        introduced = sent == self.mark.started_ts and any(
            write.key == self._meta_key and error is None for write, error in zip(writes, errors, strict=True)
        )
        self.mark.wrote(number, [place for place in places if marked[place] is None], introduced)
        return number, errors

    def _signed(self, write: Write) -> Write:
        """Return the write; `cc:meta` with the `started_ts` by which the store is known now."""
        if write.key != self._meta_key or write.kind != "hash":
            return write
        return write._replace(value={**write.value, STARTED: self.mark.started_ts})

    def _look(self, places: list[str]) -> tuple[int | None, dict[str, int]]:
        return self._seen(self._store.write((), self._fields(places)).found, places)

    def _fields(self, places: Iterable[str]) -> list[FieldOf]:
        """Return the fields to read: one of each key, so that a user needs no more rights than HGET."""
        return [(self._meta_key, STARTED), *((place, FIELD) for place in places)]

    def _seen(
        self, found: list[bytes | Exception | None], places: list[str]
    ) -> tuple[int | None, dict[str, int]]:
        """Return the store's `started_ts`, and its marks."""
        keys = [self._meta_key, *places]
        started, *marks = (self._number(key, answer) for key, answer in zip(keys, found, strict=True))
        return started, {place: mark or 0 for place, mark in zip(places, marks, strict=True)}

    def _number(self, key: str, answer: bytes | Exception | None) -> int | None:
        if isinstance(answer, Exception):
            if not wrong_type(answer):
                raise answer
            self._replaced(key)
            self._store.delete([key])
            return None
        return int(answer) if answer is not None and answer.isdigit() else None


def _not_marked(error: Exception | None) -> Exception | None:
    """Return why a mark was not taken.

    It is not reported as a wrong type: that would mean the key of a write, and this is the key of the mark.
    """
    return redis.ResponseError("the key of the mark held another type") if wrong_type(error) else error
