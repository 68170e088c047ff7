"""Encode item texts into raw vectors on another thread, so that a slow encoder never delays an interaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from consumers.encoding.open_encoder import Pauses
from models.text.encoder import EncoderUnavailable, TextEncoder
from serving.worker import Worker

Key = tuple[str, str]
"""Domain and item id."""
Vectors = dict[Key, NDArray[np.float32]]
CHUNK_TEXTS = 64

log = structlog.get_logger()


class Encoding(Protocol):
    """Takes texts and returns vectors some time later. A newer text of an item replaces an older one.

    beside: whether it encodes while events are learned. If so, a fit on the vectors goes on beside learning, too.
    """

    beside: bool

    def submit(self, key: Key, text: str) -> None:
        """Add a text, unless it is pending already. An empty text cancels the pending one."""

    def drain(self) -> tuple[Vectors, bool]:
        """Return the vectors that are ready, and whether no more are coming."""

    def pending(self) -> dict[Key, str]:
        """Return the texts whose vectors were not drained yet; they belong in a checkpoint."""

    def expect(self, width: int) -> None:
        """Take only vectors of this many numbers from now on, as those of the state have; 0 for any."""

    def check(self) -> None:
        """Raise ThreadFailed if nothing will be encoded any more."""

    def close(self) -> None: ...


def encode(encoder: TextEncoder, texts: dict[Key, str]) -> Vectors:
    """Return the vectors by key; none for no texts, or for a text that the encoder refuses."""
    if not texts:
        return {}
    rows = zip(texts, encoder.encode(list(texts.values())), strict=True)
    return {key: row for key, row in rows if np.isfinite(row).all()}


class ThreadEncoding:
    """Encodes in a thread, in small chunks that take turns between domains.

    The turns matter: the projection is fitted on the first few thousand vectors and should see every domain.
    An encoder that is away is asked again and again. Its texts wait, and `problem` says why.
    """

    beside = True

    def __init__(self, encoder: TextEncoder, failed: Callable[[], object] = lambda: None) -> None:
        """failed: is called after each failure of the encoder."""
        self._encoder, self._failed = encoder, failed
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._waiting: dict[str, dict[Key, str]] = {}
        self._taken: dict[Key, str] = {}
        self._ready: Vectors = {}
        self._width = 0
        self._stopping = threading.Event()
        self.problem: str | None = None
        """Why the encoder gives no vectors now, and what to do; None if it does."""
        self._thread = Worker("encoder", self._run)
        self._thread.start()

    def submit(self, key: Key, text: str) -> None:
        with self._lock:
            waiting = self._waiting.setdefault(key[0], {})
            if text in (waiting.get(key), self._taken.get(key)):
                return
            self._ready.pop(key, None)
            self._taken.pop(key, None)
            waiting.pop(key, None)
            if text:
                waiting[key] = text
        self._work.set()

    def drain(self) -> tuple[Vectors, bool]:
        with self._lock:
            ready, self._ready = self._ready, {}
            for key in ready:
                self._taken.pop(key, None)
            return ready, not self._taken and not any(self._waiting.values())

    def pending(self) -> dict[Key, str]:
        with self._lock:
            return self._taken | {k: t for waiting in self._waiting.values() for k, t in waiting.items()}

    def waiting(self) -> int:
        """Return the number of texts whose vectors were not drained yet. Any thread may call it."""
        with self._lock:
            return len(self._taken) + sum(map(len, self._waiting.values()))

    def expect(self, width: int) -> None:
        self._width = width

    def check(self) -> None:
        self._thread.check()

    def close(self) -> None:
        self._stopping.set()
        self._work.set()
        self._thread.join(5.0)

    def _take(self) -> dict[Key, str]:
        with self._lock:
            for domain in list(self._waiting):
                waiting = self._waiting.pop(domain)
                if not waiting:
                    continue
                chunk = {key: waiting.pop(key) for key in list(waiting)[:CHUNK_TEXTS]}
                self._waiting[domain] = waiting  # this domain goes last: the next turn is another one's
                self._taken |= chunk
                return chunk
            self._work.clear()
            return {}

    def _put_back(self, chunk: dict[Key, str]) -> None:
        """Let the texts of a chunk wait again, before the others, except those that a newer text has replaced."""
        with self._lock:
            for key, text in chunk.items():
                if self._taken.get(key) == text:
                    del self._taken[key]
                    self._waiting[key[0]] = {key: text} | self._waiting.get(key[0], {})

    def _run(self) -> None:
        pauses = Pauses()
        while not self._stopping.is_set():
            chunk = self._take()
            if not chunk:
                self._work.wait(0.5)
                continue
            try:
                vectors = self._encode(chunk)
            except EncoderUnavailable as error:
                self._put_back(chunk)
                self._away(error)
                self._stopping.wait(pauses.next(error))
                continue
            if self.problem is not None:
                log.info("the text encoder gives vectors again")
                self.problem, pauses = None, Pauses()
            self._done(chunk, vectors)

    def _away(self, error: EncoderUnavailable) -> None:
        self._failed()
        if str(error) != self.problem:
            log.warning("item texts wait, events go on: the text encoder is tried again", error=str(error))
        self.problem = str(error)

    def _done(self, chunk: dict[Key, str], vectors: Vectors) -> None:
        with self._lock:
            for key, text in chunk.items():
                if self._taken.get(key) == text:  # otherwise a newer text has come
                    if key in vectors:
                        self._ready[key] = vectors[key]
                    else:
                        del self._taken[key]

    def _encode(self, chunk: dict[Key, str]) -> Vectors:
        try:
            vectors = encode(self._encoder, chunk)
        except EncoderUnavailable:
            raise
        except Exception as error:  # the model itself failed, so these items get no text vector
            log.error("text encoder failed; these items go without text", items=len(chunk), error=repr(error))
            return {}
        for vector in vectors.values():
            self._width = self._width or len(vector)
            if len(vector) != self._width:
                raise EncoderUnavailable(
                    f"the text encoder {self._encoder.name} gives vectors of {len(vector)} numbers, and those of the "
                    f"state have {self._width}: it is another model. Serve the model of before, or name the new one "
                    "in text_encoder and run crosscurrent change-encoder"
                )
        return vectors


def restore(encoding: Encoding, pending: list[Any]) -> None:
    """Submit again the texts that a checkpoint holds as pending: [domain, item id, text] each."""
    for domain, item, text in pending:
        encoding.submit((domain, item), text)
