"""What only tells the language is taken out of vectors, so that texts of the same meaning are near."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from models.text.languages import REFERENCE, LanguageNeutral, found_again
from models.text.phrases import PHRASES

WIDTH, MEANINGS = 48, 16
CHANCE = 1 / len(PHRASES[REFERENCE])
"""Share of phrases that a model finds again which knows nothing of the language."""
LANGUAGE_OF = {phrase: code for code, phrases in PHRASES.items() for phrase in phrases}
MEANING_OF = {phrase: n for phrases in PHRASES.values() for n, phrase in enumerate(phrases)}


def drawn(name: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(WIDTH)


class Multilingual:
    """A model whose vectors are meaning plus three times the language. It knows the phrases, and `code: word`."""

    name = "multilingual"

    def __init__(self, knows: bool = True) -> None:
        self.calls, self._knows = 0, knows

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls += 1
        rows = []
        for text in texts:
            code, _, word = (
                text.partition(": ")
                if text not in MEANING_OF
                else (LANGUAGE_OF[text], "", str(MEANING_OF[text]))
            )
            meaning = drawn(word if self._knows or code == "en" else f"{code} {word}")
            rows.append(meaning + 3 * drawn(f"language {code}"))
        return np.array(rows, np.float32)


def test_phrases_have_sixteen_meanings() -> None:
    """Every language has the same number of phrases, none twice."""
    assert {len(set(phrases)) for phrases in PHRASES.values()} == {MEANINGS}
    assert len(LANGUAGE_OF) == MEANINGS * len(PHRASES)


def test_the_language_is_taken_out() -> None:
    """Before, a text is nearest to others of its language; after, to its translation."""
    texts = ["de: king", "de: garden", "zh: king", "zh: garden"]
    raw = Multilingual().encode(texts)
    assert raw[0] @ raw[1] > raw[0] @ raw[2]
    neutral = LanguageNeutral(Multilingual(), ["de", "zh"], "m, de zh").encode(texts)
    assert np.allclose(np.linalg.norm(neutral, axis=1), 1, atol=1e-6)
    centred = neutral - neutral.mean(0)  # what all languages have in common stays, and goes with the mean
    king, garden = centred[0], centred[1]
    assert king @ centred[2] > 0.9 * (king @ king)
    assert king @ garden < 0


def test_the_phrases_are_asked_for_once() -> None:
    """One request finds the directions; each later one is for texts alone. A refused text stays nan."""
    inner = Multilingual()
    encoder = LanguageNeutral(inner, ["de", "ja", "zh"], "m")
    first = encoder.encode(["de: king"])
    assert np.array_equal(first, encoder.encode(["de: king"]))
    assert inner.calls == 3


@pytest.mark.parametrize(("knows", "low", "high"), [(True, 1.0, 1.0), (False, 0.0, 4 * CHANCE)])
def test_whether_a_model_knows_a_language(knows: bool, low: float, high: float) -> None:
    """A model that knows it finds all phrases again in English; another one finds them by chance."""
    assert low <= found_again(Multilingual(knows), "zh") <= high
