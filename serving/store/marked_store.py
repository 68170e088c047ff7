"""The store with its marks: one round trip compares them, writes a chunk and marks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import redis

from serving.contract import Write
from serving.store.store_mark import FIELD, Known, Places, StoreMark


class MarkedStore:
    """One thread uses it. Every method raises redis.RedisError where the store is away or does not let us look.

    `replaced(key)` is called where a key of ours holds a value of another type, which gives way.
    """

    def __init__(
        self, client: redis.Redis, meta_key: str, started_ts: int, replaced: Callable[[str], None]
    ) -> None:
        self._client = client
        self._meta_key = meta_key
        self._replaced = replaced
        self._places = Places(client, meta_key)
        self.mark = StoreMark(meta_key, started_ts)

    def begin(self, known: Known | None) -> None:
        """known: `StoreMark.known` of the process before this one."""
        places = dict.fromkeys((*self._places.all(), *(known["marks"] if known else ())))
        self.mark.begin(known, *self._look(places))

    def ask(self) -> None:
        """Compares all marks."""
        self._compare(*self._look(self._places.all()))

    def _compare(self, started: int | None, held: dict[str, int]) -> None:
        if not self.mark.compare(started, held):
            self._client.hset(self._meta_key, "started_ts", self.mark.started_ts)

    def write(self, writes: Sequence[Write]) -> tuple[int, list[Exception | None]]:
        """Sends all, in this order. Gives their mark, and for each write why it was not taken, or None.

        A write whose mark was not taken counts as not taken: nobody could tell later whether it is there.
        """
        of = [self._places.of(write.key) for write in writes]
        places = list(dict.fromkeys(of))
        number = self.mark.next()
        pipeline = self._client.pipeline(transaction=False)
        self._look_in(pipeline, places)
        ends = [len(pipeline)]
        for write in writes:
            if write.key == self._meta_key and write.kind == "hash":
                write = write._replace(value={**write.value, "started_ts": self.mark.started_ts})  # noqa: PLW2901
            _queue(pipeline, write)
            ends.append(len(pipeline))
        for place in places:
            pipeline.hset(place, FIELD, number)
        answers = pipeline.execute(raise_on_error=False)
        sent = self.mark.started_ts
        self._compare(*self._seen(answers[: ends[0]], places))
        marked = dict(zip(places, map(_not_marked, answers[ends[-1] :]), strict=True))
        errors = [
            _error(answers[start:end]) or marked[place]
            for (start, end), place in zip(pairwise(ends), of, strict=True)
        ]
        introduced = sent == self.mark.started_ts and any(
            write.key == self._meta_key and error is None for write, error in zip(writes, errors, strict=True)
        )
        self.mark.wrote(number, [place for place in places if marked[place] is None], introduced)
        return number, errors

    def _look(self, places: Iterable[str]) -> tuple[int | None, dict[str, int]]:
        pipeline = self._client.pipeline(transaction=False)
        held = list(places)
        self._look_in(pipeline, held)
        return self._seen(pipeline.execute(raise_on_error=False), held)

    def _look_in(self, pipeline: Any, places: Iterable[str]) -> None:
        """HGET for each: the rights that a user needed before there were marks are enough."""
        pipeline.hget(self._meta_key, "started_ts")
        for place in places:
            pipeline.hget(place, FIELD)

    def _seen(self, answers: list[Any], places: list[str]) -> tuple[int | None, dict[str, int]]:
        """The store's `started_ts`, and its marks."""
        keys = [self._meta_key, *places]
        started, *marks = (self._number(key, answer) for key, answer in zip(keys, answers, strict=True))
        return started, {place: mark or 0 for place, mark in zip(places, marks, strict=True)}

    def _number(self, key: str, answer: Any) -> int | None:
        if isinstance(answer, Exception):
            if not wrong_type(answer):
                raise answer
            self._replaced(key)
            self._client.delete(key)
            return None
        return int(answer) if answer is not None and answer.isdigit() else None


def wrong_type(error: Exception | None) -> bool:
    """Whether a key holds a value of another type than what is written to it."""
    return error is not None and str(error).startswith("WRONGTYPE")


def _not_marked(answer: Any) -> Exception | None:
    """Why a mark was not taken. Not as a wrong type: it is the mark's key that had it, not the key of a write."""
    error = _error([answer])
    return redis.ResponseError("the key of the mark held another type") if wrong_type(error) else error


def _error(answers: list[Any]) -> Exception | None:
    """The first error among the answers to one write's commands."""
    return next((answer for answer in answers if isinstance(answer, Exception)), None)


def _queue(pipeline: Any, write: Write) -> None:
    if write.kind == "set":
        pipeline.set(write.key, write.value, ex=write.ttl_seconds)
    elif write.kind == "delete":
        pipeline.delete(write.key)
    else:
        if write.fresh:
            pipeline.delete(write.key)
        pipeline.hset(write.key, mapping=write.value)
        if write.ttl_seconds is not None:
            pipeline.expire(write.key, write.ttl_seconds)
