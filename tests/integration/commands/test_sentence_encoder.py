"""Real sentence-transformers models work. They are not unit tests, because importing them takes many seconds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from models.text.encoder import load_encoder


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid the network to every test of this file."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")


def test_sentence_transformers(missing: Callable[[object], NoReturn]) -> None:
    """The bundled MiniLM, by name, works offline: 384 wide, unit length, meaning over words."""
    if importlib.util.find_spec("sentence_transformers") is None:
        missing("sentence-transformers is not installed: pip install 'crosscurrent[text]'")
    encoder = load_encoder("sentence-transformers/all-MiniLM-L6-v2")
    out = encoder.encode(["A funny movie", "A hilarious film", "Tax law handbook"])
    assert (out.shape, out.dtype) == ((3, 384), np.float32)
    assert np.allclose(np.linalg.norm(out, axis=1), 1, atol=1e-4)
    assert out[0] @ out[1] > 0.5 > out[0] @ out[2]
    assert encoder.name == "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize("model", ["no-such/model-anywhere", "./no/such/folder", "empty-folder"])
def test_an_unknown_model_is_a_clear_error(model: str, tmp_path: Path) -> None:
    """A wrong model raises a ValueError of one line, which names the key, the model and the remedy."""
    if model == "empty-folder":
        model = str(tmp_path)
    with pytest.raises(ValueError, match=r"text_encoder\.model") as caught:
        load_encoder(model)
    assert model in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hashing" in str(caught.value) or "pip install" in str(caught.value)
