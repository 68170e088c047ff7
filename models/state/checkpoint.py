"""Keep the state on disk: atomic, checksummed, versioned. Tensors in safetensors, the rest in MessagePack.

One checkpoint is one folder `<sequence>/`, which gets its name by a rename once everything in it is on disk. It holds

    manifest.json   tensors.safetensors     state.msgpack         the whole state, or
    increment.json  increment.safetensors   increment.msgpack     what has changed since the checkpoint it `follows`.

The `.json` holds the checksums of the other two and is written last. `models/state/compact.py`, a process of its own,
reads a folder with an increment and adds the whole state to it. Such a folder can be read in both ways, so a damaged
whole state costs nothing as long as the one before it is there. The last three whole states stay, with all that follows
the oldest of them. Nothing from before users were forgotten stays.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from safetensors.numpy import save as save_tensors

from models.state.durable_files import WriteFile, checksum, checksum_of, sync_folder, write_durably
from models.state.merging import merged
from models.state.snapshot import Snapshot, joined, snapshot
from models.state.tensor_file import read_tensors

__all__ = ["CheckpointDirectory", "Manifest", "Snapshot", "UnusableError", "snapshot"]

SCHEMA = 5
READABLE = (4, SCHEMA)
"""Schemas that this version reads. 4 has BLAKE2b checksums."""
KEEP = 3


class Files(NamedTuple):
    """Names in a checkpoint's folder."""

    manifest: str
    tensors: str
    body: str


WHOLE = Files("manifest.json", "tensors.safetensors", "state.msgpack")
INCREMENT = Files("increment.json", "increment.safetensors", "increment.msgpack")
DAMAGE = (OSError, ValueError, KeyError, IndexError, TypeError, msgspec.MsgspecError)


class Manifest(msgspec.Struct):
    """Describes a checkpoint. follows: the checkpoint that an increment adds to."""

    sequence: int
    schema: int
    versions: dict[str, str]
    checksums: dict[str, str]
    follows: int | None = None


class UnusableError(Exception):
    """No checkpoint in the folder can be used. The message says why and what to do."""


class Growth(NamedTuple):
    """What follows the newest whole state: how many increments, their bytes, and the bytes of that state."""

    increments: int
    bytes: int
    whole: int


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a state may depend on."""
    return {"river": version("river"), "torch": version("torch").split("+")[0]}


class CheckpointDirectory:
    """Writes and reads checkpoints of one folder. With `read_only` the folder stays as it is.

    newest: the checkpoint that the next increment follows, which is the one written or loaded last. written_by:
    versions of the libraries that wrote the loaded state, by name.
    """

    def __init__(self, path: Path, read_only: bool = False, write_file: WriteFile | None = None) -> None:
        self.path = path
        self._write_file = write_file or write_durably
        self.newest: int | None = None
        self.written_by: dict[str, str] = versions()
        if read_only:
            return
        path.mkdir(parents=True, exist_ok=True)
        self.clear()
        self._last = max((int(p.name) for p in self._folders()), default=0)

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.path.iterdir() if p.is_dir() and p.name.isdigit())

    def _folder(self, sequence: int) -> Path:
        return self.path / f"{sequence:012d}"

    def clear(self) -> None:
        """Remove half-written checkpoints, of this process and of others."""
        for leftover in self.path.glob("writing-*"):
            # A compaction of a killed process may still write there.
            shutil.rmtree(leftover, ignore_errors=True)

    @property
    def empty(self) -> bool:
        """True if there is no checkpoint, or no folder."""
        return not self.path.is_dir() or not self._folders()

    def save(self, taken: Snapshot, keep: int = KEEP) -> Path:
        """Write one checkpoint and return its folder. On return it is on disk under its final name.

        Then remove all that is older than the last `keep` whole ones. Raises ValueError for an increment that follows
        nothing, and OSError. After an error nothing half-written is left: on a full disk it would take the room.
        """
        if taken.increment and self.newest is None:
            raise ValueError("there is nothing that an increment could follow")
        sequence = self._last + 1
        folder, final = self.path / f"writing-{sequence:012d}", self._folder(sequence)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
            if taken.increment:
                self._write_into(folder, INCREMENT, taken, sequence, self.newest)
            else:
                self._write_into(folder, WHOLE, taken, sequence)
            folder.rename(final)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sync_folder(self.path)
        self._last = self.newest = sequence
        self._prune(keep)
        return final

    def _prune(self, keep: int) -> None:
        folders = self._folders()
        whole = [folder for folder in folders if (folder / WHOLE.manifest).exists()]
        if len(whole) >= keep:
            for old in folders[: folders.index(whole[-keep])]:
                shutil.rmtree(old)

    def purge(self, sequence: int) -> None:
        """Remove what is older than a checkpoint with a whole state, and that checkpoint's own increment.

        The increment names what was deleted. Raises OSError. A second call does no harm.
        """
        folder = self._folder(sequence)
        for old in self._folders():
            if old < folder:
                shutil.rmtree(old)
        for name in INCREMENT:  # the manifest first
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)
        sync_folder(self.path)

    def growth(self) -> Growth:
        """Return how much has been added since the newest whole state."""
        increments = total = 0
        for folder in reversed(self._folders()):
            if (folder / WHOLE.manifest).exists():
                return Growth(increments, total, _size(folder, WHOLE))
            increments, total = increments + 1, total + _size(folder, INCREMENT)
        return Growth(increments, total, 0)

    def compact(self, sequence: int) -> None:
        """Add the whole state to a checkpoint that holds an increment. Raises as `load`, or OSError.

        Another process may save at the same time: this reads and writes nothing that `save` touches.
        """
        folder, problems = self._folder(sequence), list[str]()
        taken = snapshot(self._restored(folder, problems), copy=False)
        writing = self.path / f"writing-whole-{sequence:012d}"
        shutil.rmtree(writing, ignore_errors=True)
        try:
            writing.mkdir()
            self._write_into(writing, WHOLE, taken, sequence)
            for name in reversed(WHOLE):  # the manifest last
                (writing / name).rename(folder / name)
                sync_folder(folder)
        finally:
            shutil.rmtree(writing, ignore_errors=True)

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the newest usable state, or None without a checkpoint, and a line for each damaged one.

        Raises UnusableError if checkpoints exist and none can be used, or if the newest is of another schema. A state
        that other versions of River and torch wrote is used: tensors and numbers are the same in all of them.
        """
        problems: list[str] = []
        folders = self._folders()
        for folder in reversed(folders):
            try:
                state = self._restored(folder, problems)
            except DAMAGE as error:
                problems.append(f"{folder}: {type(error).__name__}: {error}")
            else:
                self.newest = int(folder.name)
                files = INCREMENT if (folder / INCREMENT.manifest).exists() else WHOLE
                self.written_by = _manifest(folder, files).versions
                return state, problems
        if folders:
            raise UnusableError(
                f"no checkpoint in {self.path} can be read ({'; '.join(problems)}). Restore the folder from a "
                "backup, or move it away to learn again from the beginning of the log."
            )
        return None, problems

    def _restored(self, folder: Path, problems: list[str]) -> dict[str, Any]:
        """Return the state of one checkpoint. A damaged whole state is skipped if increments lead there too."""
        changes = []
        while True:
            increment = (folder / INCREMENT.manifest).exists()
            if (folder / WHOLE.manifest).exists() or not increment:
                try:
                    state = _read(folder, WHOLE)[1]
                    break
                except DAMAGE as error:
                    if not increment:
                        raise
                    problems.append(
                        f"{folder}: {type(error).__name__}: {error}; read from what came before it"
                    )
            manifest, change = _read(folder, INCREMENT)
            changes.append(change)
            if manifest.follows is None:
                raise ValueError(f"{INCREMENT.manifest}: it follows nothing")
            folder = self._folder(manifest.follows)
        state = merged(state, changes[::-1])
        if not isinstance(state, dict):
            raise ValueError(f"{WHOLE.body} holds no table")
        return state

    def _write_into(
        self, folder: Path, files: Files, taken: Snapshot, sequence: int, follows: int | None = None
    ) -> None:
        checksums = {}
        for name, made in (
            (files.tensors, lambda: save_tensors(taken.tensors)),
            (files.body, lambda: taken.body),
        ):
            data = made()
            self._write_file(folder / name, data)
            checksums[name] = checksum_of(data)
        manifest = Manifest(sequence, SCHEMA, versions(), checksums, follows)
        self._write_file(folder / files.manifest, msgspec.json.encode(manifest))
        sync_folder(folder)


def _manifest(folder: Path, files: Files) -> Manifest:
    return msgspec.json.decode((folder / files.manifest).read_bytes(), type=Manifest)


def _read(folder: Path, files: Files) -> tuple[Manifest, Any]:
    manifest = _manifest(folder, files)
    if manifest.schema not in READABLE:
        raise UnusableError(
            f"{folder} is of schema {manifest.schema}, this version reads schema {SCHEMA}. Install the version of "
            "Crosscurrent that wrote it, or move the folder away to learn again from the log."
        )
    known = manifest.checksums
    try:
        tensors, found = read_tensors(folder / files.tensors, known[files.tensors])
    except DAMAGE:
        _check(
            files.tensors, checksum(folder / files.tensors, known[files.tensors]), manifest
        )  # it tells more
        raise
    body = (folder / files.body).read_bytes()
    _check(files.tensors, found, manifest)
    _check(files.body, checksum_of(body, known[files.body]), manifest)
    return manifest, joined(msgspec.msgpack.decode(body), tensors)


def _check(name: str, found: str, manifest: Manifest) -> None:
    """Raise ValueError if a file is not the one that was written."""
    if found != manifest.checksums[name]:
        raise ValueError(f"{name}: checksum differs from the manifest")


def _size(folder: Path, files: Files) -> int:
    return sum((folder / name).stat().st_size for name in files if (folder / name).exists())
