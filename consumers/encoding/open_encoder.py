"""Open the text encoder of the config: put the prefix before each text, and look up known texts first."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.http_encoder import HttpEncoder
from consumers.encoding.vector_cache import Vector, VectorCache, text_key
from consumers.errors import Stop
from models.text.encoder import EncoderUnavailable, TextEncoder, load_encoder
from models.text.languages import LanguageNeutral

FOLDER = "texts"
"""Below the checkpoint directory."""
TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds to wait after a failure; the pause doubles with each."""


def open_encoder(config: TextEncoderConfig, directory: Path | None = None) -> TextEncoder:
    """Return the encoder. directory: of the checkpoints, where known vectors are kept; None: keep none.

    Raises ValueError, with what to do, if a model cannot be loaded. A server is not asked here.
    """
    if config.model == "hashing":
        return load_encoder(config.model)
    inner: TextEncoder = HttpEncoder(config) if config.is_server else load_encoder(config.model)
    kept = (
        None if directory is None or not config.cache_mb else VectorCache(directory / FOLDER, config.cache_mb)
    )
    known = KnownTexts(inner, config, kept)
    return LanguageNeutral(known, sorted(config.languages), config.identity) if config.neutral else known


class KnownTexts:
    """An encoder that asks `inner` only for texts whose vectors are not kept. cache: None to keep none."""

    def __init__(self, inner: TextEncoder, config: TextEncoderConfig, cache: VectorCache | None) -> None:
        self._inner, self._prefix, self._cache = inner, config.prefix, cache
        self._step = config.batch
        self.name = config.raw_identity

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (len(texts), width) float32. Raises EncoderUnavailable."""
        sent = [self._prefix + text for text in texts]
        if self._cache is None:
            return self._inner.encode(sent)
        keys = [text_key(self.name, text) for text in texts]
        known = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, sent, strict=True) if key not in known}
        for start in range(0, len(missing), self._step):
            known |= self._asked(dict(itertools.islice(missing.items(), start, start + self._step)), known)
        return np.stack([known[key] for key in keys])

    def _asked(self, texts: Mapping[bytes, str], known: Mapping[bytes, Vector]) -> dict[bytes, Vector]:
        """Encode texts by key and keep their vectors at once, so that a command that is killed loses few."""
        assert self._cache is not None
        new = dict(zip(texts, self._inner.encode(list(texts.values())), strict=True))
        widths = {len(vector) for vector in (*known.values(), *new.values())}
        if len(widths) > 1:
            raise EncoderUnavailable(
                f"the text encoder {self.name} gives vectors of {sorted(widths)} numbers, now and before: it is "
                "another model. Serve the model of before, or remove the folder texts in checkpoint.directory and "
                "run crosscurrent change-encoder --force"
            )
        self._cache.put({key: vector for key, vector in new.items() if np.isfinite(vector).all()})
        return new


class Patient:
    """An encoder for commands without a stream to serve: it tries again a few times, then stops."""

    def __init__(
        self, inner: TextEncoder, tries: int = TRIES, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._inner, self._tries, self._sleep = inner, tries, sleep
        self.name = inner.name

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (len(texts), width) float32. Raises Stop."""
        pauses = Pauses()
        for _ in range(self._tries - 1):
            try:
                return self._inner.encode(texts)
            except EncoderUnavailable as error:
                self._sleep(pauses.next(error))
        try:
            return self._inner.encode(texts)
        except EncoderUnavailable as error:
            raise Stop(str(error)) from error


class Pauses:
    """How long to wait after each failure in a row: twice as long each time, or as long as the server asks."""

    def __init__(self) -> None:
        self._pause = 0.0

    def next(self, error: EncoderUnavailable) -> float:
        """Return the seconds to wait after this failure."""
        self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        return min(max(self._pause, error.seconds or 0.0), LONGEST_PAUSE)


def opened_for_command(config: TextEncoderConfig, directory: Path | None = None) -> TextEncoder:
    """Return the encoder for a command: it waits for a server that is away, then gives up. Raises Stop."""
    try:
        return Patient(open_encoder(config, directory))
    except ValueError as error:
        raise Stop(str(error)) from error
