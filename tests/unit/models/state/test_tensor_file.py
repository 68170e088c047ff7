"""A file of tensors is read in one pass, and one that is damaged is refused."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from models.state.durable_files import PIECE, PREFIX, checksum
from models.state.tensor_file import DTYPES, read_tensors


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "tensors.safetensors"
    path.write_bytes(data)
    return path


def test_reads_what_the_library_wrote(tmp_path: Path) -> None:
    """Every type, a scalar, nothing, and more than one piece."""
    rng = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        name: (100 * rng.standard_normal((3, 5))).astype(dtype) for name, dtype in DTYPES.items()
    }
    tensors |= {"scalar": np.array(7.5), "empty": np.zeros((0, 4), np.float32)}
    tensors["large"] = np.arange(PIECE // 4, dtype=np.int64)
    path = written(tmp_path, save(tensors))
    found, digest = read_tensors(path, PREFIX)
    assert digest == checksum(path)
    early = "0" * 64  # early checkpoints have another kind
    assert (
        read_tensors(path, early)[1]
        == checksum(path, early)
        == blake2b(path.read_bytes(), digest_size=32).hexdigest()
    )
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert np.array_equal(found[name], tensor)
        assert found[name].flags.writeable
    assert read_tensors(written(tmp_path, save({})), PREFIX)[0] == {}


def header(**fields: Any) -> bytes:
    one = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **fields}
    text = json.dumps({"a": one}).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\x10" + bytes(7) + b"{}",
        (5).to_bytes(8, "little") + b"{oops",
        header(dtype="F31") + bytes(8),
        header(shape=[3]) + bytes(8),
        header(shape=[-2]) + bytes(8),
        header(data_offsets=[4, 12]) + bytes(12),
        header(data_offsets=[0, 8]) + bytes(7),
        header(data_offsets=[0, 8]) + bytes(9),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_tensors(written(tmp_path, data), PREFIX)
