"""Encode the text of all items once for all arms. Two processes are faster than two threads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.open_encoder import opened_for_command
from consumers.evaluation.dataset import Data
from consumers.evaluation.workers import WORKERS, Steps, Tell, run_all

CHUNK_TEXTS = 256
FEW_TEXTS = 2_048
"""With at most this many texts, starting processes takes longer than it saves."""


def encode(data: Data, config: TextEncoderConfig, path: Path, bars: Progress) -> None:
    """Write the raw vectors of all items with text, by position, to a file that every worker reads. Raises Stop."""
    texts = [(n, item.words()) for n, item in enumerate(data.items) if item.words().strip()]
    texts.sort(key=lambda pair: len(pair[1]))  # texts of equal length together need less padding and time
    words = [text for _, text in texts]
    raw = _encode_all(config, words, bars)
    known = np.isfinite(raw).all(axis=1)  # an encoder may refuse a text
    raw, positions = raw[known], np.array([n for n, _ in texts], np.int64)[known]
    order = np.argsort(positions)
    np.savez(path, positions=positions[order], raw=raw[order])


def _encode_all(config: TextEncoderConfig, texts: list[str], bars: Progress) -> NDArray[np.float32]:
    name = "encoding item text"
    if len(texts) <= FEW_TEXTS or config.model == "hashing" or config.is_server:
        task = bars.add_task(name, total=len(texts), unit="texts")
        return _encode(config, texts, lambda done: bars.update(task, completed=done))
    shares = [texts[n::WORKERS] for n in range(WORKERS)]  # each process gets long and short texts
    names = [f"{name} {n + 1}/{WORKERS}" for n in range(WORKERS)]
    parts = run_all(partial(_encode, config), shares, names, Steps(len(shares[0]), "texts"), bars)
    raw = np.empty((len(texts), parts[0].shape[1]), np.float32)
    for n, part in enumerate(parts):
        raw[n::WORKERS] = part
    return raw


def _encode(config: TextEncoderConfig, texts: list[str], tell: Tell) -> NDArray[np.float32]:
    """Return (len(texts), width); without any text (0, 1). Raises Stop if the encoder cannot be had."""
    encoder = opened_for_command(config)
    parts = [np.zeros((0, 1), np.float32)] if not texts else []
    for start in range(0, len(texts), CHUNK_TEXTS):
        parts.append(encoder.encode(texts[start : start + CHUNK_TEXTS]).astype(np.float32))
        tell(start + len(parts[-1]))
    return np.concatenate(parts)
