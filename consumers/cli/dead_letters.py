"""`crosscurrent dead-letters`: list records that could not be used, show one, send them back after a fix."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click
import msgspec

from consumers.cli.options import JSON, NEEDED_CONFIG, gathered, write_json
from consumers.config.loader import load_for_all
from consumers.dead_letters.options import ResendOptions
from consumers.errors import BUG, Stop
from consumers.events.rejection import Reason
from consumers.terminal import log

REASON = click.option("--reason", type=click.Choice(get_args(Reason)), help="Only letters with this reason.")
TOPIC = click.option("--topic", help="Only letters from this topic.")


@click.group()
def dead_letters() -> None:
    """List records that could not be used, show one, or send them back after a fix."""


@dead_letters.command("list")
@NEEDED_CONFIG
@REASON
@TOPIC
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many of the latest letters to show.",
)
@JSON
def list_(config: Path, reason: str | None, topic: str | None, limit: int, json_file: Path | None) -> int:
    """Count the letters by reason, then by topic, partition and reason, and show the latest.

    The detail of a letter names the field that is wrong.

    Times are those of the source records. An id is partition:offset of the dead-letter topic.

    \b
    Examples:
      crosscurrent dead-letters list -c crosscurrent.toml
      crosscurrent dead-letters list -c crosscurrent.toml --reason out_of_range --limit 5 --json letters.json
    """
    from consumers.dead_letters.overview import overview, print_overview  # noqa: PLC0415
    from consumers.dead_letters.resend import Wanted  # noqa: PLC0415
    from consumers.dead_letters.topic_reader import LetterLog  # noqa: PLC0415

    with LetterLog(load_for_all(config, need_domains=False).kafka) as letters:
        found = overview(letters, Wanted(reason, topic), limit)
    write_json(json_file, msgspec.to_builtins(found))
    print_overview(found, log.console())
    return 0


@dead_letters.command()
@click.argument("id_", metavar="ID")
@NEEDED_CONFIG
@JSON
def show(id_: str, config: Path, json_file: Path | None) -> int:
    """Print the headers, key and value of one letter; a hex dump if it is not UTF-8.

    \b
    Example:
      crosscurrent dead-letters show 0:17 -c crosscurrent.toml
    """
    from consumers.dead_letters.overview import readable, shown  # noqa: PLC0415
    from consumers.dead_letters.topic_reader import LetterLog, parse_id  # noqa: PLC0415

    wanted = parse_id(id_)
    with LetterLog(load_for_all(config, need_domains=False).kafka) as letters:
        letter = letters.get(wanted)
    if letter is None:
        raise Stop(f"{id_}: no such letter; see crosscurrent dead-letters list", BUG)
    write_json(json_file, shown(letter))
    for name, value in letter.headers.items():
        click.echo(f"{name}: {readable(value.encode())}")
    click.echo(f"\nkey\n{readable(letter.key)}\n\nvalue\n{readable(letter.value)}")
    return 0


@dead_letters.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@NEEDED_CONFIG
@REASON
@TOPIC
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--force", is_flag=True, help="Send also what would become a dead letter again.")
@JSON
@gathered(ResendOptions)
def replay(
    options: ResendOptions,
    ids: tuple[str, ...],
    config: Path,
    reason: str | None,
    topic: str | None,
    json_file: Path | None,
) -> int:
    """Send raw keys and values back to their topics, with their first timestamps, each once.

    Without an ID, --reason or --topic, all letters are sent.

    Each letter is decoded first, with this config. One that would become a dead letter again is not sent: this helps
    after a fix of the config or the schema registry. Start `run` with the fixed config first: with the old one it would
    make dead letters of them again. An event that is wrong itself must be sent again by its producer.

    Each letter that was sent gets a mark in the dead-letter topic, so a second replay leaves it out. Truncated letters
    are refused. Exit code 1 if some were not sent.

    \b
    Examples:
      crosscurrent dead-letters replay -c crosscurrent.toml --reason out_of_range --dry-run
      crosscurrent dead-letters replay -c crosscurrent.toml 0:17 0:18
    """
    from consumers.dead_letters.resend import Wanted, replay_letters  # noqa: PLC0415
    from consumers.dead_letters.topic_reader import LetterLog, parse_id  # noqa: PLC0415

    wanted = Wanted(reason, topic, frozenset(parse_id(text) for text in ids))
    settings = load_for_all(config, need_domains=False)
    with LetterLog(settings.kafka) as letters:
        report = replay_letters(settings, letters, wanted, options, click.echo)
    write_json(json_file, msgspec.to_builtins(report))
    verb = "would be sent" if options.dry_run else "sent"
    click.echo(
        f"{verb}: {report.sent:,}; sent back before: {report.replayed_before:,}; "
        f"not sent: {len(report.refused):,}"
    )
    if report.unmended:
        click.echo(
            f"would become dead letters again: {report.unmended:,}. Mend the config or the schema registry, or let the "
            "producer send the events anew; --force sends them all the same"
        )
    return BUG if report.refused else 0
