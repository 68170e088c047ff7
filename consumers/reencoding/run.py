"""Rewrite the newest checkpoint for another text encoder.

It is a command, and no switch of `run`: encoding a large catalogue takes minutes in which a service that starts could
serve nothing, while one of before can go on (`prepare`); and a mistyped model must not change a state by itself.

Nothing is written before the new checkpoint is whole, so a command that is killed has changed nothing. The vectors that
it had are kept in the folder `texts`, so its repetition goes on where it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from consumers.config.schema import Settings
from consumers.encoding.open_encoder import opened_for_command
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.reencoding.item_texts import Texts, item_texts
from consumers.service.offline import loaded_pipeline
from consumers.service.pipeline import Pipeline
from consumers.service.saving.stored_state import lock_folder, newest_state, with_learned
from consumers.service.text_encoding import Key, encode
from consumers.sharing.layout import load_layout
from models.arms.text_change import TextChange
from models.state.checkpoint import CheckpointDirectory, snapshot
from models.state.durable_files import WriteFile, write_durably
from models.text.encoder import TextEncoder
from serving.store.store_mark import UNKNOWN

CHUNK_TEXTS = 256
NOTHING = (
    "Without a checkpoint nothing needs to change: start with the new encoder, or see checkpoint.directory."
)
BUSY = "Run this with --prepare now; then stop the service, and run it without."
Say = Callable[[str], None]
State = dict[str, Any]


class ChangeOptions(NamedTuple):
    """prepare: encode only, beside the running service. force: also if the state is of this encoder already."""

    prepare: bool = False
    force: bool = False


class Changed(msgspec.Struct):
    """What was done. explained: share of the old vectors' squares that a linear map of the new ones explains."""

    before: str
    now: str
    items: int
    """Items with a vector of the new encoder."""
    by_title: int
    """How many of them have no text in the log, so that their title was encoded."""
    without: int
    """Items that had text, and have none that can be encoded now."""
    explained: float | None = None
    checkpoint: str | None = None


def _untold(done: int, count: int) -> None:
    """Tell nobody."""


class Ends(NamedTuple):
    """What the command reads from, and how it writes and tells. Tests replace them."""

    texts: Callable[[Settings, Say], Texts] = item_texts
    encoder: Callable[[Settings], TextEncoder] = lambda settings: opened_for_command(
        settings.text_encoder, Path(settings.checkpoint.directory)
    )
    write_file: WriteFile = write_durably
    progress: Callable[[int, int], object] = _untold
    """Is told how many of how many texts are encoded."""


def change_encoder(
    settings: Settings, options: ChangeOptions, say: Say, ends: Ends | None = None
) -> Changed | None:
    """Write a checkpoint with the vectors of the config's encoder. Return None if it has them. Raises Stop."""
    ends, path = ends or Ends(), _folder(Path(settings.checkpoint.directory))
    if not path.is_dir():
        raise Stop(f"{path} is not there. {NOTHING}", STATE_UNUSABLE)
    lock = None if options.prepare else lock_folder(path, BUSY)
    try:
        state = newest_state(path, say, NOTHING)
        before, now = state["text_encoder"], settings.text_encoder.identity
        if before == now and not options.force:
            say(f"the state is of the encoder {now!r} already; --force encodes everything again")
            return None
        pipeline = loaded_pipeline(state | {"text_encoder": now}, settings, path, say)
        change = TextChange(pipeline.arms)
        texts, by_title, without = _texts(change, ends.texts(settings, say))
        encoder, keys, held = ends.encoder(settings), _in_turns(texts), 0
        for start in range(0, len(keys), CHUNK_TEXTS):
            chunk = {key: texts[key] for key in keys[start : start + CHUNK_TEXTS]}
            vectors = encode(encoder, chunk)
            held += len(vectors)
            if not options.prepare:
                change.put(chunk, vectors, idle=start + CHUNK_TEXTS >= len(keys))
            ends.progress(start + len(chunk), len(keys))
        report = Changed(before, now, held, by_title, without + len(keys) - held)
        if not options.prepare:
            report.explained = change.finish().explained
            report.checkpoint = _save(path, _state(state, pipeline), ends.write_file)
        return report
    finally:
        if lock is not None:
            lock.close()


def _folder(root: Path) -> Path:
    """Return the folder of the checkpoints. Raises Stop for several shards."""
    layout = load_layout(root)
    if layout is None:
        return root
    if layout.count > 1:
        raise Stop(
            f"{root} holds the states of {layout.count} shards, which must get one basis of text: run crosscurrent "
            f"rescale --count 1, then this, then crosscurrent rescale --count {layout.count}"
        )
    return layout.shard(root, 0)


def _texts(change: TextChange, of_log: Texts) -> tuple[Texts, int, int]:
    """Return what to encode: the text in the log, else the title. Also how many titles, and how many have neither."""
    texts, by_title, without = Texts(), 0, 0
    for item in change.items():
        if (text := of_log.get(item.key)) is not None:
            texts[item.key] = text
        elif item.title.strip():
            texts[item.key] = item.title
            by_title += 1
        else:
            without += 1
    return texts, by_title, without


def _in_turns(texts: Texts) -> list[Key]:
    """Return the keys, domains in turn: the basis is fitted on the first few thousand and should see every domain."""
    by_domain: dict[str, list[Key]] = {}
    for key in sorted(texts):
        by_domain.setdefault(key[0], []).append(key)
    return [key for turn in itertools.zip_longest(*by_domain.values()) for key in turn if key is not None]


def _state(state: State, pipeline: Pipeline) -> State:
    """Return the state with what the pipeline has changed. At the next start everything is published again."""
    return with_learned(state, pipeline.state()) | {"store": UNKNOWN}


def _save(path: Path, state: State, write_file: WriteFile) -> str:
    try:
        return str(CheckpointDirectory(path, write_file=write_file).save(snapshot(state, copy=False)))
    except OSError as error:
        raise Stop(
            f"the new checkpoint cannot be written ({error.strerror}); the old one counts as before. Make room in "
            f"{path} and repeat the command: it does not encode again.",
            STATE_UNUSABLE,
        ) from error
