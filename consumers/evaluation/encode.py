"""Encode the text of all items once for all arms. Two processes are faster than two threads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from consumers.errors import Stop
from consumers.evaluation.dataset import Data
from consumers.evaluation.workers import WORKERS, Tell, run_all
from models.text.encoder import load_encoder

CHUNK_TEXTS = 256
FEW_TEXTS = 2_048
"""With at most this many texts, starting processes takes longer than it saves."""


def encode(data: Data, model: str, path: Path, bars: Progress) -> None:
    """Write the raw vectors of all items with text, by position, to a file that every worker reads. Raises Stop."""
    texts = [(n, item.words()) for n, item in enumerate(data.items) if item.words().strip()]
    texts.sort(key=lambda pair: len(pair[1]))  # texts of equal length together need less padding and time
    words = [text for _, text in texts]
    try:
        raw = _encode_all(model, words, bars)
    except ValueError as error:
        raise Stop(str(error)) from error
    positions = np.array([n for n, _ in texts], np.int64)
    order = np.argsort(positions)
    np.savez(path, positions=positions[order], raw=raw[order])


def _encode_all(model: str, texts: list[str], bars: Progress) -> NDArray[np.float32]:
    name = "encoding item text"
    if len(texts) <= FEW_TEXTS or model == "hashing":
        task = bars.add_task(name, total=len(texts))
        return _encode(model, texts, lambda done: bars.update(task, completed=done))
    shares = [texts[n::WORKERS] for n in range(WORKERS)]  # each process gets long and short texts
    names = [f"{name} {n + 1}/{WORKERS}" for n in range(WORKERS)]
    parts = run_all(partial(_encode, model), shares, names, len(shares[0]), bars)
    raw = np.empty((len(texts), parts[0].shape[1]), np.float32)
    for n, part in enumerate(parts):
        raw[n::WORKERS] = part
    return raw


def _encode(model: str, texts: list[str], tell: Tell) -> NDArray[np.float32]:
    """Return (len(texts), width); without any text (0, 1). Raises ValueError if the model cannot be loaded."""
    encoder = load_encoder(model)
    parts = [np.zeros((0, 1), np.float32)] if not texts else []
    for start in range(0, len(texts), CHUNK_TEXTS):
        parts.append(encoder.encode(texts[start : start + CHUNK_TEXTS]).astype(np.float32))
        tell(start + len(parts[-1]))
    return np.concatenate(parts)
