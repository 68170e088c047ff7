"""Texts are encoded beside the event path: the newest text wins, nothing blocks, a failure loses text only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from consumers.service.text_encoding import CHUNK_TEXTS, Encoding, Key, ThreadEncoding, Vectors, restore
from models.text.encoder import EncoderUnavailable
from tests.support.doubles import SyncEncoding

PATIENCE = 20.0
A: Key = ("movies", "a")
B: Key = ("books", "b")


class Encoder:
    """An encoder whose vectors name their text. A gate stops it; the text "bad" makes it fail."""

    name = "test"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.calls: list[list[str]] = []
        self.entered = threading.Event()

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls.append(texts)
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        if "bad" in texts:
            raise RuntimeError("cannot encode that")
        return np.array([[len(t), sum(map(ord, t))] for t in texts], np.float32)


def vector(text: str) -> list[float]:
    return [len(text), sum(map(ord, text))]


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(params=["sync", "thread"])
def encoding(request: pytest.FixtureRequest, encoder: Encoder) -> Iterator[Encoding]:
    made: Encoding = SyncEncoding(encoder) if request.param == "sync" else ThreadEncoding(encoder)
    yield made
    encoder.gate.set()
    made.close()


def drain_all(encoding: Encoding, until: Callable[[Vectors], Any] | None = None) -> dict[Key, list[float]]:
    """Drain until idle (or until the condition holds)."""
    vectors: Vectors = {}
    deadline = time.monotonic() + PATIENCE
    while True:
        some, idle = encoding.drain()
        vectors |= some
        if until(vectors) if until else idle:
            return {key: v.tolist() for key, v in vectors.items()}
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_each_text_becomes_its_vector(encoding: Encoding) -> None:
    """Every item gets the vector of its own text, once."""
    texts = {("movies" if n % 3 else "books", str(n)): f"text {n}" for n in range(3 * CHUNK_TEXTS)}
    for key, text in texts.items():
        encoding.submit(key, text)
    assert drain_all(encoding) == {key: vector(text) for key, text in texts.items()}
    assert encoding.drain() == ({}, True)


def test_nothing_submitted_is_idle(encoding: Encoding) -> None:
    """An empty queue reports that no vectors are coming."""
    assert encoding.drain() == ({}, True)
    assert encoding.pending() == {}


def test_the_newest_text_wins(encoding: Encoding) -> None:
    """A later text of an item replaces the earlier one, drained or not."""
    for n in range(20):
        encoding.submit(A, f"text {n}")
    assert drain_all(encoding)[A] == vector("text 19")
    encoding.submit(A, "again")
    assert drain_all(encoding) == {A: vector("again")}


def test_the_same_text_again_changes_nothing(encoding: Encoding, encoder: Encoder) -> None:
    """A repeated text is encoded once, whether it waits, is being encoded, or is ready."""
    encoder.gate.clear()
    for _ in range(3):
        encoding.submit(A, "text")
        encoding.submit(B, "text b")
    assert list(encoding.pending()) == [A, B]
    encoder.gate.set()
    deadline = time.monotonic() + PATIENCE
    while isinstance(encoding, ThreadEncoding) and [text for call in encoder.calls for text in call] != [
        "text",
        "text b",
    ]:
        assert time.monotonic() < deadline
        encoding.submit(A, "text")
        time.sleep(0.005)
    encoding.submit(A, "text")
    assert drain_all(encoding) == {A: vector("text"), B: vector("text b")}
    assert sorted(text for call in encoder.calls for text in call) == ["text", "text b"]


def test_no_text_cancels(encoding: Encoding) -> None:
    """An item whose text or itself was removed gets no vector."""
    encoding.submit(A, "text")
    encoding.submit(A, "")
    encoding.submit(B, "")
    assert drain_all(encoding) == {}


def test_pending_until_drained(encoding: Encoding, encoder: Encoder) -> None:
    """Texts that were not drained yet are pending, with the newest text, for the checkpoint."""
    encoder.gate.clear()
    encoding.submit(A, "old")
    encoding.submit(B, "b")
    encoding.submit(A, "new")
    assert encoding.pending() == {A: "new", B: "b"}
    encoder.gate.set()
    drain_all(encoding)
    assert encoding.pending() == {}


def test_restore_submits_what_was_pending(encoding: Encoding) -> None:
    """A checkpoint's pending texts are encoded after the restart."""
    restore(encoding, [["movies", "a", "text"], ["books", "b", "other"]])
    assert drain_all(encoding) == {A: vector("text"), B: vector("other")}


# The thread


@pytest.fixture
def threaded(encoder: Encoder) -> Iterator[ThreadEncoding]:
    made = ThreadEncoding(encoder)
    yield made
    encoder.gate.set()
    made.close()


def test_a_slow_encoder_blocks_nobody(threaded: ThreadEncoding, encoder: Encoder) -> None:
    """While the encoder works, submitting and draining return at once."""
    encoder.gate.clear()
    threaded.submit(A, "first")
    assert encoder.entered.wait(PATIENCE)
    begun = time.monotonic()
    for n in range(1000):
        threaded.submit(("movies", str(n)), "text")
        assert threaded.drain() == ({}, False)
    assert time.monotonic() - begun < 5.0
    assert len(threaded.pending()) == 1001
    encoder.gate.set()
    assert len(drain_all(threaded)) == 1001


def test_a_newer_text_during_encoding_wins(threaded: ThreadEncoding, encoder: Encoder) -> None:
    """The vector of an old text that comes late is dropped."""
    encoder.gate.clear()
    threaded.submit(A, "old")
    assert encoder.entered.wait(PATIENCE)
    threaded.submit(A, "new")
    assert threaded.pending() == {A: "new"}
    encoder.gate.set()
    assert drain_all(threaded) == {A: vector("new")}
    assert encoder.calls == [["old"], ["new"]]


def test_a_removal_during_encoding_wins(threaded: ThreadEncoding, encoder: Encoder) -> None:
    """The vector of an item that was removed in the meantime is dropped, and nothing stays pending."""
    encoder.gate.clear()
    threaded.submit(A, "old")
    assert encoder.entered.wait(PATIENCE)
    threaded.submit(A, "")
    threaded.submit(B, "b")
    encoder.gate.set()
    assert drain_all(threaded) == {B: vector("b")}
    assert threaded.pending() == {}


def test_a_failing_encoder_loses_its_chunk_only(threaded: ThreadEncoding, encoder: Encoder) -> None:
    """Items of the failed chunk get no text vector, later ones are encoded, and the encoder gets idle."""
    encoder.gate.clear()
    threaded.submit(A, "bad")
    assert encoder.entered.wait(PATIENCE)
    threaded.submit(B, "good")
    encoder.gate.set()
    assert drain_all(threaded) == {B: vector("good")}
    assert threaded.pending() == {}


def test_domains_take_turns(threaded: ThreadEncoding, encoder: Encoder) -> None:
    """A large catalogue of one domain does not make the other domains wait for its end."""
    encoder.gate.clear()
    for n in range(10 * CHUNK_TEXTS):
        threaded.submit(("movies", str(n)), "m")
    assert encoder.entered.wait(PATIENCE)
    threaded.submit(B, "b")
    encoder.gate.set()
    drain_all(threaded, until=lambda vectors: B in vectors)
    assert ["b"] in encoder.calls[:4]
    assert len(drain_all(threaded, until=lambda _: threaded.pending() == {})) >= 0
    assert max(map(len, encoder.calls)) <= CHUNK_TEXTS


def test_close_ends_the_thread(encoder: Encoder) -> None:
    """After `close` the thread has ended."""
    before = set(threading.enumerate())
    made = ThreadEncoding(encoder)
    assert set(threading.enumerate()) - before
    made.close()
    assert not set(threading.enumerate()) - before


class Away(Encoder):
    """An encoder that is away until it is told to come back, and then gives vectors of some width."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.away, self.width = True, width

    def encode(self, texts: list[str]) -> np.ndarray:
        if self.away:
            self.calls.append(texts)
            self.entered.set()
            raise EncoderUnavailable("it is away")
        return np.hstack([super().encode(texts), np.zeros((len(texts), self.width - 2), np.float32)])


@pytest.fixture
def away() -> Iterator[tuple[Away, ThreadEncoding, list[int]]]:
    """Return an encoder that is away, its encoding, and the failures that it has reported."""
    encoder, failures = Away(), list[int]()
    made = ThreadEncoding(encoder, lambda: failures.append(1))
    yield encoder, made, failures
    made.close()


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_texts_wait_for_an_encoder_that_is_away(away: tuple[Away, ThreadEncoding, list[int]]) -> None:
    """They stay pending, one that was replaced meanwhile is dropped, and all come when the encoder is back."""
    encoder, encoding, failures = away
    encoding.submit(A, "old")
    encoding.submit(B, "kept")
    until(lambda: len(failures) >= 2)
    assert encoding.problem == "it is away"
    assert encoding.pending() == {A: "old", B: "kept"}
    assert encoding.waiting() == 2
    assert encoding.drain() == ({}, False)
    encoding.submit(A, "new")
    assert encoding.pending() == {A: "new", B: "kept"}
    encoder.away = False
    assert drain_all(encoding) == {A: vector("new"), B: vector("kept")}
    assert encoding.waiting() == 0
    assert encoding.problem is None
    encoding.check()


def test_vectors_of_another_width_are_not_taken(away: tuple[Away, ThreadEncoding, list[int]]) -> None:
    """Vectors that do not fit the state wait like those of an encoder that is away, and the reason is told."""
    encoder, encoding, failures = away
    encoding.expect(3)
    encoder.away = False
    encoding.submit(A, "text")
    until(lambda: failures)
    assert "vectors of 2 numbers, and those of the state have 3" in str(encoding.problem)
    assert encoding.pending() == {A: "text"}
    encoder.width = 3
    assert drain_all(encoding) == {A: [*vector("text"), 0.0]}


def test_a_refused_text_has_no_vector(
    encoding: Encoding, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of nan means that the encoder refuses the text: its item goes without, the others do not."""
    given = encoder.encode

    def refusing(texts: list[str]) -> np.ndarray:
        rows = given(texts)
        rows[[text == "refused" for text in texts]] = np.nan
        return rows

    monkeypatch.setattr(encoder, "encode", refusing)
    encoding.submit(A, "refused")
    encoding.submit(B, "good")
    assert drain_all(encoding) == {B: vector("good")}
    assert encoding.pending() == {}
