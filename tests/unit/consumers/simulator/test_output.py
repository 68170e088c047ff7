"""A world is sent only to a config that has its domains."""

from __future__ import annotations

import pytest

from consumers.config.loader import build
from consumers.errors import Stop
from consumers.simulator.output import stop_if_lacking


def test_lacking_domains_are_named_with_what_to_do() -> None:
    """The message names the sections to add; with all domains there is none."""
    config = build({"domains": {"movies": {}}})
    stop_if_lacking(config, ["movies"])
    with pytest.raises(Stop, match="lacks: books, games") as caught:
        stop_if_lacking(config, ["movies", "books", "games"])
    assert "Add [domains.books], [domains.games]" in str(caught.value)
