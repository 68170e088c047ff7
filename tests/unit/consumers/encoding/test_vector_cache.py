"""Vectors of known texts stay on disk: bounded, by encoder, and never a reason to stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.open_encoder import KnownTexts
from consumers.encoding.vector_cache import FILE, VectorCache, text_key
from models.text.encoder import EncoderUnavailable


def vectors(first: int, last: int, width: int = 4) -> dict[bytes, np.ndarray]:
    return {text_key("e", f"text {n}"): np.full(width, n, np.float32) for n in range(first, last)}


class Counting:
    """An encoder that keeps the texts that it was asked for."""

    name = "counting"

    def __init__(self, width: int = 3) -> None:
        self.width, self.asked = width, list[str]()

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        rows = [np.full(self.width, np.nan if "bad" in t else len(t), np.float32) for t in texts]
        return np.stack(rows)


def test_vectors_come_back_bit_for_bit(tmp_path: Path) -> None:
    """A second process finds what the first has kept, and nothing else."""
    kept = {text_key("e", "a"): np.array([0.1, -1e-30], np.float32)}
    VectorCache(tmp_path / "texts", 1).put(kept)
    found = VectorCache(tmp_path / "texts", 1).get([*kept, text_key("e", "b"), text_key("other", "a")])
    assert list(found) == list(kept)
    assert found[text_key("e", "a")].tobytes() == kept[text_key("e", "a")].tobytes()


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    """80 bytes a row: 800 bytes hold the last ten."""
    cache = VectorCache(tmp_path, 800 / 1e6)
    for n in range(5):
        cache.put(vectors(4 * n, 4 * n + 4))
    assert sorted(int(v[0]) for v in cache.get(list(vectors(0, 20))).values()) == list(range(10, 20))


def test_texts_are_not_stored(tmp_path: Path) -> None:
    """The file holds no text, only its hash."""
    cache = VectorCache(tmp_path, 1)
    cache.put({text_key("e", "a secret title"): np.ones(2, np.float32)})
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"no database at all, of some length" * 200, b""])
def test_a_damaged_file_costs_its_vectors_only(tmp_path: Path, damage: bytes) -> None:
    """A file that is no database is removed, and the next vectors are kept."""
    (tmp_path / FILE).write_bytes(damage)
    cache = VectorCache(tmp_path, 1)
    assert cache.get(list(vectors(0, 3))) == {}
    cache.put(vectors(0, 3))
    assert len(cache.get(list(vectors(0, 3)))) == 3


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Without a place on disk nothing is kept, and nothing fails."""
    (tmp_path / "texts").write_text("a file")
    cache = VectorCache(tmp_path / "texts", 1)
    cache.put(vectors(0, 1))
    assert cache.get(list(vectors(0, 1))) == {}


def test_a_start_does_not_ask_again(tmp_path: Path) -> None:
    """Only new texts are asked for, with the prefix; a refused one is asked for again."""
    config = TextEncoderConfig(model="m", prefix="passage: ")
    first, second = Counting(), Counting()
    one = KnownTexts(first, config, VectorCache(tmp_path, 1)).encode(["a", "bb", "bad", "a"])
    two = KnownTexts(second, config, VectorCache(tmp_path, 1)).encode(["bb", "new", "a", "bad"])
    assert first.asked == ["passage: a", "passage: bb", "passage: bad"]
    assert second.asked == ["passage: new", "passage: bad"]
    assert np.array_equal(two[[2, 0]], one[[0, 1]])
    assert np.isnan(two[3]).all()


def test_other_settings_have_other_vectors(tmp_path: Path) -> None:
    """A vector that was made with another prefix or model is not taken."""
    for config in (
        TextEncoderConfig(model="m"),
        TextEncoderConfig(model="m", prefix="p "),
        TextEncoderConfig(model="n"),
    ):
        encoder = Counting()
        KnownTexts(encoder, config, VectorCache(tmp_path, 1)).encode(["a"])
        assert len(encoder.asked) == 1


def test_another_width_under_the_same_name(tmp_path: Path) -> None:
    """Vectors of two widths are never put together; the message names the remedy."""
    KnownTexts(Counting(3), TextEncoderConfig(model="m"), VectorCache(tmp_path, 1)).encode(["a"])
    with pytest.raises(EncoderUnavailable, match=r"\[3, 5\].*change-encoder"):
        KnownTexts(Counting(5), TextEncoderConfig(model="m"), VectorCache(tmp_path, 1)).encode(["a", "b"])
