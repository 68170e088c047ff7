"""`crosscurrent change-encoder`: rewrite the newest checkpoint for another text encoder."""

from __future__ import annotations

from pathlib import Path

import click

from consumers.cli.options import JSON, NEEDED_CONFIG, write_json
from consumers.config.loader import load_for_all


@click.command()
@NEEDED_CONFIG
@click.option(
    "--prepare", is_flag=True, help="Only encode, and keep the vectors: the service may go on meanwhile."
)
@click.option(
    "--force",
    is_flag=True,
    help="Go on although the state is of this encoder already. Known vectors count: remove the folder texts first.",
)
@JSON
def change_encoder(config: Path, prepare: bool, force: bool, json_file: Path | None) -> int:
    """Take the state over to the text encoder that the config names now.

    All item texts are encoded anew: those of the topics of items, else the title that the state has. Users' tastes and
    whatever else was learned on the old vectors are carried over by a linear map. A command that was interrupted has
    changed nothing; repeated, it goes on where it was. The checkpoints of before stay beside the new one.

    \b
    Examples:
      crosscurrent change-encoder -c new.toml --prepare     # beside the running service
      crosscurrent change-encoder -c new.toml               # after the service has stopped
    """
    import msgspec  # noqa: PLC0415

    from consumers.reencoding.run import ChangeOptions, Ends  # noqa: PLC0415  (loads torch)
    from consumers.reencoding.run import change_encoder as change  # noqa: PLC0415
    from consumers.terminal import log, progress  # noqa: PLC0415

    settings = load_for_all(config)
    with progress.bars(log.console(stderr=True)) as bars:
        task = bars.add_task("encoding item text", total=None, unit="texts")

        def tell(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        done = change(settings, ChangeOptions(prepare, force), click.echo, Ends(progress=tell))
    if done is None:
        return 0
    write_json(json_file, msgspec.to_builtins(done))
    titles = f", {done.by_title:,} of them by title alone" if done.by_title else ""
    lost = f"; {done.without:,} items have no text that can be encoded" if done.without else ""
    click.echo(f"{done.items:,} items are encoded by {done.now!r}{titles}{lost}")
    if prepare:
        click.echo("their vectors are kept: stop the service, run this without --prepare, start it")
        return 0
    click.echo(
        f"what was learned on vectors of {done.before!r} is carried over: the new ones explain {done.explained:.0%} of "
        "them"
    )
    click.echo(f"{done.checkpoint} counts at the next start, which publishes everything again")
    return 0
