"""Build settings from plain dicts, as tests write them."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.errors import USAGE, Stop

MOVIES: dict[str, Any] = {"domains": {"movies": {}}}
"""The shortest config."""


def refused(raw: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """Return the message of the Stop that `build` must raise. Its exit code is always 2."""
    with pytest.raises(Stop) as caught:
        build(raw, environ)
    assert caught.value.code == USAGE
    return str(caught.value)


def with_environ(**environ: str) -> Settings:
    """Return the shortest config, with these variables set."""
    return build(MOVIES, {f"CROSSCURRENT_{name}": text for name, text in environ.items()})
