"""The section text_encoder: what belongs together, and what makes other vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.config.text_encoder import TextEncoderConfig
from tests.support.configs import MOVIES, refused

URL = "http://tei:8080/v1/embeddings"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": URL}, "text_encoder.name: name the model"),
        ({"model": "http://tei:8080", "name": "e5"}, "text_encoder.model: write the whole address"),
        ({"model": "http://me:pw@tei/v1/embeddings", "name": "e5"}, "leave keys and passwords out of it"),
        ({"model": f"{URL}?key=pw", "name": "e5"}, "leave keys and passwords out of it"),
        ({"model": "http://tei:port/v1/embeddings", "name": "e5"}, "text_encoder.model: not a URL"),
        ({"model": URL, "name": "e5", "ssl_cafile": "/no/file"}, "text_encoder.ssl_cafile: there is no file"),
        ({"api_key": "k"}, "text_encoder.api_key: only for a server"),
        ({"name": "e5"}, "text_encoder.name: only for a server"),
        ({"prefix": "passage: "}, "text_encoder.prefix: hashing knows no prefix"),
        ({"model": URL, "name": "e5", "batch": 0}, "text_encoder.batch: must be above 0"),
        ({"cache_mb": -1}, "text_encoder.cache_mb: must not be below 0"),
        ({"languages": ["xx"]}, "text_encoder.languages: 'xx' is none of de, en"),
        ({"languages": ["en", "en"]}, "text_encoder.languages: name each language once"),
    ],
)
def test_what_does_not_belong_together(keys: dict[str, Any], message: str) -> None:
    """Each mistake is a line that names its key and the remedy; a password in an address is not repeated."""
    told = refused({**MOVIES, "text_encoder": keys})
    assert message in told
    assert "pw" not in told


def test_the_key_from_a_file(tmp_path: Path) -> None:
    """`api_key_file` stands for what the file holds."""
    (tmp_path / "key").write_text("sk-1\n")
    keys = {"model": URL, "name": "e5", "api_key_file": str(tmp_path / "key")}
    assert build({**MOVIES, "text_encoder": keys}).text_encoder.api_key == "sk-1"


def test_identities() -> None:
    """An address may change. Model, dimensions, prefix and two or more languages make other vectors."""

    def identity(**keys: Any) -> str:
        return TextEncoderConfig(**{"model": URL, "name": "e5"} | keys).identity

    same = {
        identity(),
        identity(model="https://new/v1/embeddings"),
        identity(languages=["zh"]),
        identity(batch=8),
    }
    others = [
        identity(name="bge"),
        identity(dimensions=256),
        identity(prefix="p "),
        identity(languages=["en", "zh"]),
    ]
    assert same == {"served e5"}
    assert len({*same, *others}) == 5
    assert identity(languages=["zh", "en"]) == identity(languages=["en", "zh"])
    assert TextEncoderConfig(languages=["en", "zh"]).identity == "hashing"
