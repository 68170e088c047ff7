"""`crosscurrent experiment`: say what is known of live experiments, from the newest checkpoints."""

from __future__ import annotations

from pathlib import Path

import click

from consumers.cli.options import JSON, NEEDED_CONFIG, write_json
from consumers.config.loader import load_for_all
from consumers.errors import Stop


@click.group()
def experiment() -> None:
    """Say what is known of live experiments."""


@experiment.command()
@NEEDED_CONFIG
@click.option("--name", help="Only this experiment.")
@JSON
def status(config: Path, name: str | None, json_file: Path | None) -> int:
    """Say of each experiment which arm is better, how sure that is, and what is missing.

    It reads the newest checkpoint, of all shards if there are several, so it is as old as that. You may look as often
    as you like: the probability of ever being told that one of two equal arms is better is 5 %.

    \b
    Examples:
      crosscurrent experiment status -c crosscurrent.toml
      crosscurrent experiment status -c crosscurrent.toml --name variety --json variety.json
    """
    import msgspec  # noqa: PLC0415

    from consumers.cli.states.experiment_status import experiments_status, show_experiments  # noqa: PLC0415
    from consumers.terminal import log  # noqa: PLC0415

    settings = load_for_all(config)
    if name is not None and name not in settings.experiments:
        known = ", ".join(settings.experiments) or "none"
        raise Stop(f"--name {name}: the config has no such experiment; it has {known}")
    if not settings.experiments:
        click.echo("the config has no [experiments]")
        write_json(json_file, {"experiments": []})
        return 0
    found = experiments_status(settings)
    shown = [one for one in found.experiments if name in (None, one.name)]
    show_experiments(found, shown, log.console())
    write_json(json_file, msgspec.to_builtins(found) | {"experiments": msgspec.to_builtins(shown)})
    return 0
