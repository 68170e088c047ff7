"""Hashing is the default text encoder. tests/integration/commands/test_sentence_encoder.py tests the others."""

from __future__ import annotations

import numpy as np

from models.text.encoder import HASH_FEATURES, HashingEncoder, TextEncoder, load_encoder


def cosine(encoder: TextEncoder, one: str, two: str) -> float:
    a, b = encoder.encode([one, two])
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_hashing_is_the_default() -> None:
    """`hashing` needs nothing but the base installation."""
    assert isinstance(load_encoder("hashing"), HashingEncoder)
    assert load_encoder("hashing").name == "hashing"


def test_hashing_vectors() -> None:
    """Each text has a row of 2,048 float32 numbers at unit length; a text without words is zero."""
    out = HashingEncoder().encode(["The Dark Knight", "x", "", "🦄 日本語 the"])
    assert (out.shape, out.dtype) == ((4, HASH_FEATURES), np.float32)
    assert np.allclose(np.linalg.norm(out, axis=1), [1, 0, 0, 1], atol=1e-6)


def test_hashing_is_deterministic_and_sees_words() -> None:
    """A text has the same vector in any batch, and shared words make texts similar."""
    encoder = HashingEncoder()
    assert np.array_equal(
        encoder.encode(["dark sea", "red star"])[0], HashingEncoder().encode(["dark sea"])[0]
    )
    assert cosine(encoder, "the dark sea", "the dark star") > cosine(encoder, "the dark sea", "a red dwarf")
    assert abs(cosine(encoder, "Dark SEA", "dark sea") - 1) < 1e-6
