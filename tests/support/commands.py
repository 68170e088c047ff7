"""Run a command of `crosscurrent` in this process."""

from __future__ import annotations

from typing import NamedTuple

from click.testing import CliRunner

from consumers.cli.main import cli
from consumers.errors import Stop


class Outcome(NamedTuple):
    """The exit code, and what was printed."""

    code: int
    text: str


def run(
    *words: str, given: str | bytes | None = None, environ: dict[str, str | None] | None = None
) -> Outcome:
    """Run the command. given: standard input. environ: variables to set, None to unset."""
    result = CliRunner().invoke(cli, words, input=given, env=environ, standalone_mode=False)
    if isinstance(result.exception, Stop):
        return Outcome(result.exception.code, f"{result.output}{result.exception}")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.return_value or 0, result.output)
