"""Encode item texts into raw vectors on another thread, so that a slow encoder never delays an interaction."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from models.text.encoder import TextEncoder
from serving.worker import Worker

Key = tuple[str, str]
"""Domain and item id."""
Vectors = dict[Key, NDArray[np.float32]]
CHUNK_TEXTS = 64

log = structlog.get_logger()


class Encoding(Protocol):
    """Takes texts and returns vectors some time later. A newer text of an item replaces an older one."""

    def submit(self, key: Key, text: str) -> None:
        """Add a text, unless it is pending already. An empty text cancels the pending one."""

    def drain(self) -> tuple[Vectors, bool]:
        """Return the vectors that are ready, and whether no more are coming."""

    def pending(self) -> dict[Key, str]:
        """Return the texts whose vectors were not drained yet; they belong in a checkpoint."""

    def check(self) -> None:
        """Raise ThreadFailed if nothing will be encoded any more."""

    def close(self) -> None: ...


def encode(encoder: TextEncoder, texts: dict[Key, str]) -> Vectors:
    """Return the vectors by key; none for no texts."""
    if not texts:
        return {}
    return dict(zip(texts, encoder.encode(list(texts.values())), strict=True))


class ThreadEncoding:
    """Encodes in a thread, in small chunks that take turns between domains.

    The turns matter: the projection is fitted on the first few thousand vectors and should see every domain.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._waiting: dict[str, dict[Key, str]] = {}
        self._taken: dict[Key, str] = {}
        self._ready: Vectors = {}
        self._stopping = False
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

    def check(self) -> None:
        self._thread.check()

    def close(self) -> None:
        self._stopping = True
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

    def _run(self) -> None:
        while not self._stopping:
            chunk = self._take()
            if not chunk:
                self._work.wait(0.5)
                continue
            vectors = self._encode(chunk)
            with self._lock:
                for key, text in chunk.items():
                    if self._taken.get(key) == text:  # otherwise a newer text has come
                        if key in vectors:
                            self._ready[key] = vectors[key]
                        else:
                            del self._taken[key]

    def _encode(self, chunk: dict[Key, str]) -> Vectors:
        try:
            return encode(self._encoder, chunk)
        except Exception as error:  # the model itself failed, so these items get no text vector
            log.error("text encoder failed; these items go without text", items=len(chunk), error=repr(error))
            return {}


def restore(encoding: Encoding, pending: list[Any]) -> None:
    """Submit again the texts that a checkpoint holds as pending: [domain, item id, text] each."""
    for domain, item, text in pending:
        encoding.submit((domain, item), text)
