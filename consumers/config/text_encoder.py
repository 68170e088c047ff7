"""What turns item text into vectors: words hashed here, a model in this process, or a server of embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from models.text.phrases import PHRASES


class TextEncoderConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What turns item text into vectors. Changing `model`, `name`, `dimensions`, `prefix` or `languages`
    needs `crosscurrent change-encoder`."""

    model: str = "hashing"
    """`hashing`; a sentence-transformers model: a name or a local folder; or the address of a server with OpenAI's
    embeddings API: `http://host/v1/embeddings`."""
    name: str = ""
    """Of a server: the model to ask it for."""
    dimensions: int = 0
    """Of a server: the numbers of a vector to ask for; 0 for as many as the model gives."""
    prefix: str = ""
    """Text to put before each item's: `passage: ` for the models of the e5 family, unless the server adds it."""
    languages: list[str] = []
    """The languages of your titles, by their codes: `["en", "zh"]`. With two or more, what only tells the language is
    taken out of the vectors, so that titles of the same meaning are near. `crosscurrent check` measures whether the
    model knows them. `hashing` finds the same words only."""
    api_key: str | None = None
    """Of a server: its key, sent as a bearer token."""
    api_key_file: str | None = None
    """File that holds the key. It is read again with every request, so it may change."""
    ssl_cafile: str | None = None
    """Of a server: certificates of the authorities to trust, PEM."""
    batch: int = 64
    """Most texts in a request to a server, or between two writes of known vectors."""
    connect_seconds: float = 2.0
    """Of a server: how long to wait for a connection."""
    read_seconds: float = 60.0
    """Of a server: how long to wait for an answer."""
    cache_mb: float = 512.0
    """Megabytes of vectors of known texts to keep in `<checkpoint.directory>/texts`, so that they need not be encoded
    again; 0 for none. `hashing` keeps none."""

    @property
    def is_server(self) -> bool:
        """Whether `model` is an address."""
        return self.model.startswith(("http://", "https://"))

    @property
    def neutral(self) -> bool:
        """Whether what tells the language is taken out of the vectors."""
        return len(self.languages) > 1 and self.model != "hashing"

    @property
    def identity(self) -> str:
        """Say which vectors these are. States of another identity need `crosscurrent change-encoder`."""
        return (
            f"{self.raw_identity}, {' '.join(sorted(self.languages))}" if self.neutral else self.raw_identity
        )

    @property
    def raw_identity(self) -> str:
        """Say which model makes the vectors. A server's address is no part of it: the same model may move."""
        said = f"served {self.name}" if self.is_server else self.model
        if self.dimensions:
            said += f", {self.dimensions} dimensions"
        return f"{said}, prefix {self.prefix!r}" if self.prefix else said


def problems(config: TextEncoderConfig) -> Iterator[str]:
    """Yield a line for each problem of the section's keys."""
    if config.is_server:
        yield from _server_problems(config)
    else:
        for key in ("name", "api_key", "api_key_file", "ssl_cafile", "dimensions"):
            if getattr(config, key):
                yield f"text_encoder.{key}: only for a server: text_encoder.model is no http:// or https:// address"
        if config.model == "hashing" and config.prefix:
            yield "text_encoder.prefix: hashing knows no prefix; leave it out"
    yield from _language_problems(config)
    for key in ("dimensions", "cache_mb"):
        if not getattr(config, key) >= 0:
            yield f"text_encoder.{key}: must not be below 0"


def _language_problems(config: TextEncoderConfig) -> Iterator[str]:
    for code in config.languages:
        if code not in PHRASES:
            yield f"text_encoder.languages: {code!r} is none of {', '.join(PHRASES)}; leave it out"
    if len(set(config.languages)) < len(config.languages):
        yield "text_encoder.languages: name each language once"


def _server_problems(config: TextEncoderConfig) -> Iterator[str]:
    try:
        parts = urlsplit(config.model)
        port = parts.port
    except ValueError:
        yield "text_encoder.model: not a URL; write http://host:port/v1/embeddings"
        return
    if "@" in parts.netloc or parts.query:
        yield "text_encoder.model: leave keys and passwords out of it; the key is text_encoder.api_key_file"
    elif not parts.hostname or port == 0 or not parts.path.strip("/"):
        yield "text_encoder.model: write the whole address, http://host:port/v1/embeddings"
    if not config.name:
        yield "text_encoder.name: name the model to ask the server for"
    if config.ssl_cafile and not Path(config.ssl_cafile).is_file():
        yield f"text_encoder.ssl_cafile: there is no file {config.ssl_cafile}"
