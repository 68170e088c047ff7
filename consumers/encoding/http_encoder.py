"""Ask a server for embeddings, by OpenAI's API, which vLLM, TEI, Ollama, llama.cpp and infinity speak too."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from consumers.config.secret_file import read_secret
from consumers.config.text_encoder import TextEncoderConfig
from consumers.web import Answer, NoAnswer, Request, ask
from models.text.encoder import EncoderUnavailable

SHORT_TEXT = "one title"
"""A text that every model takes. A server that refuses it refuses all, so the config is wrong and not the text."""
SHOWN = 200
"""Characters of the server's own words that a message shows."""

Array = NDArray[np.float32]
log = structlog.get_logger()


class _Embedding(msgspec.Struct):
    index: int
    embedding: list[float]


class _Embeddings(msgspec.Struct):
    data: list[_Embedding]


class _Refused(Exception):
    """The server finds a fault with what it was sent: a text, or the model's name, or the dimensions."""


class HttpEncoder:
    """Encodes by a server. Each request opens a new connection, which costs little beside the encoding."""

    def __init__(self, config: TextEncoderConfig) -> None:
        self._config = config
        self.name = config.raw_identity

    def encode(self, texts: list[str]) -> Array:
        """Return (len(texts), width), at unit length. A text that the server refuses has a row of nan.

        Raises EncoderUnavailable, with what to do, if the server does not answer or refuses everything.
        """
        size = self._config.batch
        parts = [self._encode(texts[start : start + size]) for start in range(0, len(texts), size)]
        return self._joined(parts)

    def _encode(self, texts: list[str]) -> Array:
        """Return the vectors of one request. If the server refuses it, find the text to blame by halves."""
        try:
            return self._asked(texts)
        except _Refused as refusal:
            if len(texts) > 1:
                half = len(texts) // 2
                return self._joined([self._encode(texts[:half]), self._encode(texts[half:])])
            try:
                width = self._asked([SHORT_TEXT]).shape[1]
            except _Refused as again:
                raise self._unavailable(
                    f"it refuses even a short text with {again}. See text_encoder.name and text_encoder.dimensions"
                ) from None
            log.error(
                "the text encoder's server refuses a text; its item goes without",
                characters=len(texts[0]),
                answer=str(refusal),
            )
            return np.full((1, width), np.nan, np.float32)

    def _asked(self, texts: list[str]) -> Array:
        """Return the vectors of one request, (len(texts), width). Raises EncoderUnavailable or _Refused."""
        config, key = self._config, self._key()
        sent = [text.encode(errors="replace").decode() for text in texts]  # JSON has no lone surrogates
        body: dict[str, object] = {"model": config.name, "input": sent, "encoding_format": "float"}
        if config.dimensions:
            body["dimensions"] = config.dimensions
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(
            "POST", config.model, headers, config.connect_seconds, config.read_seconds,
            config.ssl_cafile, "text_encoder.ssl_cafile", msgspec.json.encode(body),
        )  # fmt: skip
        try:
            answer = ask(request)
        except NoAnswer as error:
            raise self._unavailable(str(error)) from None
        if answer.status != 200:
            self._refuse(answer, key)
        return self._vectors(answer.data, len(texts))

    def _key(self) -> str | None:
        """Return the key; from a file as it is now, so that it may be renewed without a restart."""
        if not self._config.api_key_file:
            return self._config.api_key
        try:
            return read_secret(self._config.api_key_file)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise self._unavailable(f"text_encoder.api_key_file {self._config.api_key_file}: {why}") from None

    def _refuse(self, answer: Answer, key: str | None) -> None:
        """Raise what the status means, with the remedy."""
        status = answer.status
        if status in (401, 403):  # the server's own words may repeat the key
            raise self._unavailable(f"it refuses the service with {status}. Set text_encoder.api_key_file")
        if status == 404:
            raise self._unavailable(
                "it answers 404. See whether the path of text_encoder.model is right (often /v1/embeddings), and "
                "whether the server has the model text_encoder.name"
            )
        if status in (408, 429) or status >= 500:
            why = "it has too many requests (429)" if status == 429 else f"it answers {status}"
            raise self._unavailable(why, _seconds(answer.headers.get("Retry-After")))
        if status < 400:
            raise self._unavailable(f"it answers {status}. Set text_encoder.model to the final address")
        said = answer.data.decode(errors="replace")
        said = said.replace(key, "…") if key else said
        raise _Refused(f"{status}: {' '.join(said.split())[:SHOWN]}")

    def _vectors(self, data: bytes, count: int) -> Array:
        try:
            held = msgspec.json.decode(data, type=_Embeddings).data
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._unavailable(
                "its answer holds no embeddings. See the path of text_encoder.model"
            ) from None
        held.sort(key=lambda one: one.index)
        widths = {len(one.embedding) for one in held}
        if [one.index for one in held] != list(range(count)) or len(widths) != 1 or widths == {0}:
            raise self._unavailable(f"its answer has not one embedding for each of {count} texts")
        (width,) = widths
        if self._config.dimensions not in (0, width):
            raise self._unavailable(
                f"its vectors have {width} numbers, and text_encoder.dimensions is {self._config.dimensions}. Set it "
                f"to {width}, or to 0"
            )
        vectors = np.array([one.embedding for one in held], np.float64)
        if not np.isfinite(vectors).all():
            raise self._unavailable("its answer holds numbers that are not finite")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Array = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit

    def _joined(self, parts: list[Array]) -> Array:
        if len({part.shape[1] for part in parts}) > 1:
            raise self._unavailable("its vectors differ in their numbers from one request to the next")
        return np.concatenate(parts)

    def _unavailable(self, why: str, seconds: float | None = None) -> EncoderUnavailable:
        return EncoderUnavailable(
            f"the text encoder at {self._config.model} gives no vectors: {why}", seconds
        )


def _seconds(header: str | None) -> float | None:
    """Return what `Retry-After` asks for; None without it, or if it is a date."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
