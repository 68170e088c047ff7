"""Check whether a saved state belongs to this config, and leave out what it no longer needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop


def misfit(error: Exception) -> Stop:
    """Return how a start ends whose config does not fit the checkpoint."""
    return Stop(
        f"the checkpoint does not fit this config: {error}. Use the config it was made with, or another "
        "checkpoint.directory to learn again from the beginning of the log.",
        STATE_UNUSABLE,
    )


def check_owner(state: dict[str, Any], settings: Settings) -> None:
    """Raise ValueError if the state was made with another text encoder or privacy.key."""
    encoder = state["text_encoder"]
    if encoder != settings.text_encoder.identity:
        raise ValueError(
            f"its item vectors are of the text encoder {encoder!r}, and text_encoder names "
            f"{settings.text_encoder.identity!r}; crosscurrent change-encoder takes the state over"
        )
    if state["privacy"] != settings.privacy.ids().fingerprint:
        raise ValueError("its user ids were made with another privacy.key, or without one")


def of_domains(state: dict[str, Any], domains: Collection[str]) -> dict[str, Any]:
    """Return the state without pending writes and texts of domains that the config lacks."""
    queue = state["outbox"]
    items = [pair for pair in queue["items"] if pair[0] in domains]
    lists = {name: held for name, held in queue["on_lists"].items() if name in domains}
    return state | {
        "outbox": queue | {"items": items, "on_lists": lists},
        "encoding": [entry for entry in state["encoding"] if entry[0] in domains],
    }
