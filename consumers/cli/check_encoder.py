"""Ask the text encoder for vectors, and measure whether it knows the languages of the config."""

from __future__ import annotations

from collections.abc import Iterator

from consumers.cli.finding import Finding
from consumers.config.text_encoder import TextEncoderConfig

KNOWS = 0.5
"""Share of phrases of a language from which on a model knows it. Models that do find nine of ten, others one of ten."""


def check_encoder(config: TextEncoderConfig) -> Iterator[Finding]:
    """Yield what the encoder answers, and a finding for each language but English."""
    from consumers.encoding.open_encoder import open_encoder  # noqa: PLC0415  (slow import)
    from models.text.encoder import EncoderUnavailable  # noqa: PLC0415
    from models.text.languages import REFERENCE, found_again  # noqa: PLC0415

    try:
        encoder = open_encoder(config)
        width = encoder.encode(["one title"]).shape[1]
        yield Finding("text encoder", True, f"{config.identity}, {width} dimensions")
        for language in config.languages:
            if language != REFERENCE:
                yield _language(language, found_again(encoder, language))
    except (ValueError, EncoderUnavailable) as error:
        yield Finding("text encoder", False, str(error))


def _language(language: str, share: float) -> Finding:
    told = f"finds {share:.0%} of 16 phrases again in English"
    if share >= KNOWS:
        return Finding(f"text encoder, {language}", True, told)
    remedy = (
        "it does not know the language: its texts are compared by common words only. Use a multilingual model"
    )
    return Finding(f"text encoder, {language}", True, f"{told}: {remedy}", warns=True)
