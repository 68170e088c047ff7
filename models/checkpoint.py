"""State on disk: atomic, checksummed, versioned. Tensors in safetensors, the rest in MessagePack.

One checkpoint is one folder `<sequence>/` with `tensors.safetensors`, `state.msgpack` and `manifest.json`, which
holds the checksums and is written last. The folder gets its name by a rename once everything in it is on disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

SCHEMA = 2
KEEP = 3


class Manifest(msgspec.Struct):
    """What a checkpoint says of itself."""

    sequence: int
    schema: int
    versions: dict[str, str]
    checksums: dict[str, str]


class UnusableError(Exception):
    """No checkpoint in the folder can be used; the message says why and what to do."""


class Snapshot(msgspec.Struct):
    """State split for writing; holds copies, so learning may go on while it is written."""

    tensors: dict[str, np.ndarray[Any, Any]]
    body: bytes


def versions() -> dict[str, str]:
    return {"river": version("river"), "torch": version("torch").split("+")[0]}


def snapshot(state: dict[str, Any]) -> Snapshot:
    """Copies a nested dict of arrays, tensors and plain values."""
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    return Snapshot(tensors, msgspec.msgpack.encode(_split(state, tensors)))


def _split(value: Any, tensors: dict[str, np.ndarray[Any, Any]]) -> Any:  # noqa: PLR0911  one a kind of leaf
    if isinstance(value, dict):
        if not all(isinstance(key, str | int) for key in value):
            raise TypeError("keys of a state are strings or whole numbers")  # others would not come back
        return {"m": [[key, _split(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        if all(map(_plain, value)):
            return {"p": list(value)}
        return {"l": [_split(item, tensors) for item in value]}
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().numpy().copy()
        return {"torch": name}
    if isinstance(value, np.ndarray):
        name = str(len(tensors))
        tensors[name] = value.copy(order="C")
        return {"array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return {"int": str(value)}  # random generators hold 128-bit integers
    return value


def _plain(value: Any) -> bool:
    kind = type(value)  # exactly: numpy's float64 and str_ are subclasses that MessagePack does not take
    return kind in _PLAIN or (kind is int and -(2**63) <= value < 2**63)


_PLAIN = frozenset({type(None), bool, str, bytes, float})


def _join(value: Any, tensors: dict[str, np.ndarray[Any, Any]]) -> Any:  # noqa: PLR0911
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    match tag:
        case "m":
            return {key: _join(item, tensors) for key, item in content}
        case "l":
            return [_join(item, tensors) for item in content]
        case "p":
            return content
        case "torch":
            return torch.from_numpy(tensors[content].copy())
        case "array":
            return tensors[content].copy()
        case "int":
            return int(content)
    raise UnusableError(f"unknown tag {tag!r} in state.msgpack")


class CheckpointDirectory:
    """Writes and reads checkpoints of one folder; the last three are kept. `read_only` leaves it as it is."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        if read_only:
            return
        path.mkdir(parents=True, exist_ok=True)
        for leftover in path.glob("writing-*"):
            shutil.rmtree(leftover)
        self._last = max((int(p.name) for p in self._folders()), default=0)

    def _folders(self) -> list[Path]:
        return sorted(p for p in self.path.iterdir() if p.is_dir() and p.name.isdigit())

    @property
    def empty(self) -> bool:
        """True where there is no checkpoint, or no folder."""
        return not self.path.is_dir() or not self._folders()

    def save(self, taken: Snapshot, keep: int = KEEP) -> Path:
        """Writes one checkpoint; on return it is on disk under its final name.

        Afterwards all but the newest `keep` are removed. Raises OSError, and leaves nothing half-written then: on a
        full disk that would be the room it lacks.
        """
        sequence = self._last + 1
        folder = self.path / f"writing-{sequence:012d}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self._write_into(folder, sequence, taken)
            final = self.path / f"{sequence:012d}"
            folder.rename(final)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _sync_folder(self.path)
        self._last = sequence
        for old in self._folders()[:-keep]:
            shutil.rmtree(old)
        return final

    def _write_into(self, folder: Path, sequence: int, taken: Snapshot) -> None:
        folder.mkdir()
        files = {"tensors.safetensors": save_tensors(taken.tensors), "state.msgpack": taken.body}
        for name, data in files.items():
            _write(folder / name, data)
        checksums = {name: _checksum(data) for name, data in files.items()}
        _write(
            folder / "manifest.json",
            msgspec.json.encode(Manifest(sequence, SCHEMA, versions(), checksums)),
        )
        _sync_folder(folder)

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest usable state (None where there is none at all) and why newer ones were passed over.

        Raises UnusableError if checkpoints exist and none can be used, or if the newest was written by
        other versions of the schema, River or torch.
        """
        problems: list[str] = []
        folders = self._folders()
        for folder in reversed(folders):
            try:
                return self._read(folder), problems
            except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
                problems.append(f"{folder}: {type(error).__name__}: {error}")
        if folders:
            raise UnusableError(
                f"no checkpoint in {self.path} can be read ({'; '.join(problems)}). Restore the folder from a "
                "backup, or move it away to learn again from the beginning of the log."
            )
        return None, problems

    def _read(self, folder: Path) -> dict[str, Any]:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
        if manifest.schema != SCHEMA or manifest.versions != versions():
            raise UnusableError(
                f"{folder} was written by schema {manifest.schema}, {manifest.versions}; this is schema {SCHEMA}, "
                f"{versions()}. Install those versions, or move the folder away to learn again from the log."
            )
        data = {name: (folder / name).read_bytes() for name in manifest.checksums}
        for name, expected in manifest.checksums.items():
            if _checksum(data[name]) != expected:
                raise ValueError(f"{name}: checksum differs from the manifest")
        tensors = load_tensors(data["tensors.safetensors"])
        state = _join(msgspec.msgpack.decode(data["state.msgpack"]), tensors)
        if not isinstance(state, dict):
            raise ValueError("state.msgpack holds no table")
        return state


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
