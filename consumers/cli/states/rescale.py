"""`crosscurrent rescale`: rewrite the checkpoints for another number of shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from consumers.cli.options import JSON, NEEDED_CONFIG, write_json
from consumers.config.loader import load_for_all


@click.command()
@NEEDED_CONFIG
@click.option("--count", required=True, type=click.IntRange(1), help="Number of shards from now on.")
@click.option(
    "--partitions", type=click.IntRange(1),
    help="Partitions of each topic of interactions, if that has changed or the state does not say it.",
)  # fmt: skip
@click.option(
    "--base", type=click.IntRange(0),
    help="Old shard whose copy of items, weights and network is taken (default: the one that is furthest).",
)  # fmt: skip
@click.option(
    "--offline", is_flag=True,
    help="Ask no broker. Then no old process is kept from going on, and what shards have shared is not read: going to "
    "one process is refused unless its state has everything; coming from one, the topics of shards must be new.",
)  # fmt: skip
@click.option(
    "--volumes", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the checkpoint directory of each process, as shard-0, shard-1, …, network: for processes that "
    "each have a volume of their own. New checkpoints are moved there. Default: all share checkpoint.directory.",
)  # fmt: skip
@JSON
def rescale(config: Path, count: int, volumes: Path | None, json_file: Path | None, **options: Any) -> int:
    """Rewrite the checkpoints of all shards for another number of shards.

    Stop all shards first: each saves its state when it stops. The new checkpoints are written beside the old ones, and
    count once all are on disk. The old ones stay: remove them when each new shard has saved its first checkpoint,
    because they hold users who ask to be forgotten later. A command that was interrupted has changed nothing, or has
    still to move new checkpoints (--volumes): repeat it.

    The broker must be there, unless --offline says otherwise: it keeps a process of the old shards that still runs from
    going on, and it holds what the old shards have shared and not all have read.

    \b
    Examples:
      crosscurrent rescale -c crosscurrent.toml --count 4
      crosscurrent rescale -c crosscurrent.toml --count 1 --json rescaled.json
      crosscurrent rescale -c crosscurrent.toml --count 4 --partitions 64 --offline
      crosscurrent rescale -c crosscurrent.toml --count 6 --volumes /volumes
    """
    from consumers.rescaling.run import RescaleOptions  # noqa: PLC0415  (loads torch)
    from consumers.rescaling.run import rescale as rewrite  # noqa: PLC0415
    from consumers.rescaling.shard_log import KafkaShardLog  # noqa: PLC0415
    from consumers.rescaling.volumes import rescale_volumes  # noqa: PLC0415
    from consumers.sharing.layout import network_in  # noqa: PLC0415

    settings = load_for_all(config)
    log = None if options["offline"] else KafkaShardLog(settings)
    wanted = RescaleOptions(count, options["partitions"], options["base"])
    made = (
        rewrite(settings, wanted, click.echo, log=log)
        if volumes is None
        else rescale_volumes(settings, wanted, click.echo, volumes, log=log)
    )
    if made is None:
        click.echo(f"an interrupted command is complete: set shards.count = {count} and start all")
        return 0
    layout = made.layout
    root = settings.checkpoint.directory if volumes is None else f"{volumes}/*"
    single = layout.parents == ["."]
    parents = [*layout.parents, *sorted({str(network_in(Path(one).parent)) for one in layout.parents})]
    old = f"{root}/0*" if single else ", ".join(f"{root}/{parent}" for parent in parents)
    write_json(json_file, msgspec.to_builtins(layout) | {"base": made.base, "users": made.users})
    click.echo(f"epoch {layout.epoch} counts now: {layout.count} shards, {sum(made.users):,} users")
    click.echo(f"set shards.count = {layout.count} and start all; later remove the old checkpoints: {old}")
    return 0
