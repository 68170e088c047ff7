"""Hashing is the default text encoder. tests/integration/commands/test_sentence_encoder.py tests the others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer

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


def test_text_with_spaces_is_split_as_before() -> None:
    """Languages with spaces keep their vectors, bit for bit: those of scikit-learn's words and word pairs."""
    texts = [
        "The Lord of the Rings (2001)",
        "Straße des Glücks",
        "Война и мир",
        "한국 영화 제목",
        "فيلم جديد",
        "x",
        "",
    ]
    plain = HashingVectorizer(n_features=HASH_FEATURES, ngram_range=(1, 2), norm="l2", dtype=np.float32)
    assert np.array_equal(HashingEncoder().encode(texts), plain.transform(texts).toarray())


@pytest.mark.parametrize(
    ("one", "near", "far"),
    [
        ("指环王：护戒使者", "指环王：双塔奇兵", "红楼梦"),
        ("千と千尋の神隠し", "千と千尋", "ノルウェイの森"),
        ("スター・ウォーズ", "スター・トレック", "となりのトトロ"),
        ("แฮร์รี่ พอตเตอร์กับศิลาอาถรรพ์", "แฮร์รี่ พอตเตอร์กับห้องแห่งความลับ", "ต้มยำกุ้ง"),
        ("水浒传 The Water Margin", "Water Margin", "Dream of the Red Chamber"),
        ("王", "国王", "火"),
    ],
)
def test_scripts_without_spaces(one: str, near: str, far: str) -> None:
    """Titles that share characters are near, in scripts that do not mark where words end."""
    encoder = HashingEncoder()
    assert cosine(encoder, one, near) > 0.2
    assert cosine(encoder, one, near) > cosine(encoder, one, far) + 0.15
