"""`crosscurrent forget`: erase one user from state and store."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from consumers.cli.options import JSON, NEEDED_CONFIG, write_json
from consumers.config.loader import load_for_all


@click.command()
@click.argument("user")
@NEEDED_CONFIG
@click.option(
    "--wait", type=click.FloatRange(0), default=30.0, show_default=True,
    help="Seconds to wait until `run` has erased the user from state and checkpoints.",
)  # fmt: skip
@JSON
def forget(user: str, config: Path, wait: float, json_file: Path | None) -> int:
    """Erase USER, an id as in the events. Events of that user from before now are never learned again.

    The request goes to `kafka.forget_topic` as a keyed hash of the id. `run` carries it out at once, or at its next
    start before it reads any event. This command deletes the keys in the store. The receipt says what is left to you.

    \b
    Examples:
      crosscurrent forget alice -c crosscurrent.toml
      crosscurrent forget alice -c crosscurrent.toml --wait 0 --json receipt.json
    """
    from consumers.erasure.command import forget_user, lines  # noqa: PLC0415

    receipt = forget_user(load_for_all(config), user, wait)
    write_json(json_file, msgspec.to_builtins(receipt))
    for line in lines(receipt):
        click.echo(line)
    return 0
