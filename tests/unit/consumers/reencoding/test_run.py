"""The change of the encoder reads the newest state, encodes what it can, and writes all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.reencoding.run import Changed, ChangeOptions, Ends, change_encoder
from consumers.service.offline import offline_pipeline
from consumers.service.saving.directory_lock import locked
from consumers.sharing.layout import Layout
from models.schema import Item
from models.state.checkpoint import CheckpointDirectory, snapshot
from models.text.encoder import HashingEncoder
from serving.store.store_mark import UNKNOWN, as_known

TITLES = {f"m{n}": f"title number {n}" for n in range(20)}


class Counting:
    """An encoder of ten numbers that keeps what it was asked for, and refuses the text "bad"."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        rows = np.stack([np.random.default_rng(len(text)).standard_normal(10) for text in texts])
        rows[[text == "bad" for text in texts]] = np.nan
        return rows.astype(np.float32)


def settings(folder: Path, **encoder: Any) -> Settings:
    return build(
        {
            "domains": {"movies": {}},
            "learner": {"users": 50, "items_per_domain": 50},
            "checkpoint": {"directory": str(folder)},
            "text_encoder": encoder,
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with one state of the encoder `hashing`: 20 items with titles, one without any words."""
    pipeline = offline_pipeline(settings(tmp_path))
    for item, title in TITLES.items():
        pipeline.arms.put_item(Item("movies", item, title), streamed=True)
    pipeline.arms.put_item(Item("movies", "untitled", ""), streamed=True)
    raw = HashingEncoder().encode(list(TITLES.values()))
    vectors = {("movies", item): v for item, v in zip(TITLES, raw, strict=True)}
    pipeline.arms.put_text_vectors(vectors, idle=True)
    CheckpointDirectory(tmp_path).save(snapshot(pipeline.live() | {"offsets": [["items.movies", 0, 7]]}))
    return tmp_path


NEW = {"model": "http://tei/v1/embeddings", "name": "e5"}


def run(folder: Path, log: dict[str, str], encoder: Counting, **options: Any) -> Changed | None:
    texts = {("movies", item): text for item, text in log.items()}
    ends = Ends(lambda *_: texts, lambda _: encoder, **options.pop("ends", {}))
    return change_encoder(settings(folder, **NEW), ChangeOptions(**options), lambda _: None, ends)


def newest(folder: Path) -> dict[str, Any]:
    state, _ = CheckpointDirectory(folder, read_only=True).load()
    assert state is not None
    return state


def test_what_is_encoded_and_written(folder: Path) -> None:
    """The log's text comes before the title; what is refused is counted; the log's place stays; all is published."""
    encoder = Counting()
    log = {item: f"{title}, told in full" for item, title in TITLES.items() if item != "m3"}
    done = run(folder, log | {"m4": "bad", "unknown": "an item without a row"}, encoder)
    assert done is not None
    assert sorted(encoder.asked) == sorted([*(log | {"m4": "bad"}).values(), TITLES["m3"]])
    assert (done.items, done.by_title, done.without) == (19, 1, 1)
    state = newest(folder)
    assert (state["text_encoder"], state["offsets"]) == ("served e5", [["items.movies", 0, 7]])
    assert as_known(state["store"]) == UNKNOWN
    assert state["arms"]["full"]["catalogues"][0]["has_vector"].sum() == 19
    assert len([p for p in folder.iterdir() if p.name.isdigit()]) == 2  # the old one stays
    assert run(folder, log, encoder) is None
    assert run(folder, log, encoder, force=True) is not None


def test_preparing_changes_nothing(folder: Path) -> None:
    """It encodes, also while a service holds the lock, and writes no checkpoint."""
    with locked(folder / "LOCK"):
        encoder = Counting()
        done = run(folder, TITLES, encoder, prepare=True)
        assert done is not None
        assert len(encoder.asked) == len(TITLES)
        with pytest.raises(Stop, match="--prepare") as busy:
            run(folder, TITLES, Counting())
        assert busy.value.code == STATE_UNUSABLE
    assert newest(folder)["text_encoder"] == "hashing"


def test_a_full_disk_changes_nothing(folder: Path) -> None:
    """The message says so and what to do; the old state counts."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(Stop, match=r"No space left.*old one counts.*repeat the command") as stopped:
        run(folder, TITLES, Counting(), ends={"write_file": full})
    assert stopped.value.code == STATE_UNUSABLE
    assert newest(folder)["text_encoder"] == "hashing"


def test_there_is_nothing_to_change(tmp_path: Path) -> None:
    """Without a folder or a checkpoint in it, the command says that a start needs no change."""
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(Stop, match="nothing needs to change"):
            run(folder, TITLES, Counting())


def test_several_shards(folder: Path) -> None:
    """The states of shards would get different bases: the message names the way over one shard."""
    Layout(1, 3, {}).save(folder)
    with pytest.raises(Stop, match=r"rescale --count 1, then this, then crosscurrent rescale --count 3"):
        run(folder, TITLES, Counting())
