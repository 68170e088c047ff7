"""Make texts of the same meaning near in several languages: take out of their vectors what only tells the language."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.text.encoder import TextEncoder
from models.text.phrases import PHRASES

REFERENCE = "en"

Array = NDArray[np.float32]


class LanguageNeutral:
    """An encoder that removes the directions in which the languages of a catalogue differ.

    Multilingual models put a text near others of its language first, and near its translations second. The mean
    vectors of the same phrases in each of L languages differ by the language alone. They span L − 1 directions, which
    are projected out. Source: Yang et al. (2021), "A simple and effective method to eliminate the self language bias
    in multilingual representations"; there the directions come from texts that are not parallel.

    It asks `inner` for the phrases at the first text.
    """

    def __init__(self, inner: TextEncoder, languages: list[str], name: str) -> None:
        """languages: two or more codes of `PHRASES`."""
        self._inner, self._languages, self.name = inner, languages, name
        self._directions: Array | None = None

    def encode(self, texts: list[str]) -> Array:
        """Return (len(texts), width) float32, at unit length. Raises EncoderUnavailable."""
        if self._directions is None:
            phrases = [phrase for language in self._languages for phrase in PHRASES[language]]
            found = self._inner.encode(phrases)
            self._directions = language_directions(found.reshape(len(self._languages), -1, found.shape[1]))
        raw = self._inner.encode(texts)
        if raw.shape[1] != self._directions.shape[1]:
            return raw  # of another model; who takes it compares the width
        rest = raw - raw @ self._directions.T @ self._directions
        lengths = np.linalg.norm(rest, axis=1, keepdims=True)
        return np.asarray(rest / np.maximum(lengths, 1e-12), np.float32)


def language_directions(vectors: Array) -> Array:
    """Return (L − 1, width) orthonormal rows, the directions in which the means of L languages differ.

    vectors: (L, n, width) of the same n phrases in each language.

    Two languages that differ by 2 along the first axis, whatever a phrase means:

    >>> print(np.abs(language_directions(np.array([[[1, 5], [1, 7]], [[-1, 5], [-1, 7]]], np.float32))))
    [[1. 0.]]
    """
    means = vectors.mean(axis=1)
    _, _, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kept: Array = directions[: len(means) - 1].astype(np.float32)
    return kept


def found_again(encoder: TextEncoder, language: str) -> float:
    """Return the share of phrases in `language` whose nearest phrase in English has the same meaning.

    Both languages are centred first. 1 / 16 is chance.
    """
    own, english = (encoder.encode(list(PHRASES[code])) for code in (language, REFERENCE))
    units = []
    for vectors in (own, english):
        centred = vectors - vectors.mean(axis=0)
        units.append(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
    nearest = (units[0] @ units[1].T).argmax(axis=1)
    return float((nearest == np.arange(len(nearest))).mean())
